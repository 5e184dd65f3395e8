-- What changed since a report was last brought up to date, so that intra-day refreshes look at that and not at history.
-- Objects of ours that a statement wrote, as they were and as they are: a link that moved is looked at from both ends.
-- Where all is null, a statement wrote more than is worth noting one by one: then everything is looked at.
CREATE TABLE recon.touched_objects (
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    provider text,
    provider_ref text,
    parent_ref text,
    tx_hash text,
    payment_ref text,
    user_ref text
);
CREATE INDEX touched_objects_changed_in ON recon.touched_objects (changed_in);

-- As of when each report's table is, and up to which transaction: all before changed_from were over and read. Only
-- comparable on the same cluster, and worth nothing once the rules (query, parameters, plans, state map) change.
CREATE TABLE recon.report_marks (
    report text PRIMARY KEY,
    as_of timestamptz NOT NULL,
    changed_from xid8 NOT NULL,
    cluster text NOT NULL,
    rules text NOT NULL
);

CREATE FUNCTION recon.note_touched() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- Most is wanted of few; a load of many needs the full queries anyway.
    most constant integer := 10000;
    columns text := CASE TG_TABLE_NAME
        WHEN 'provider_transactions' THEN 'provider, provider_ref, parent_ref, tx_hash, payment_ref, user_ref'
        WHEN 'deposit_matches' THEN 'provider, provider_ref, NULL, NULL, payment_ref, NULL'
        WHEN 'stripe_disputes' THEN '''stripe'', payment_intent_id, NULL, NULL, NULL, NULL'
        ELSE 'provider, provider_ref, NULL, tx_hash, payment_ref, user_ref'
    END;
    source text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT * FROM rows_after'
        WHEN 'DELETE' THEN 'SELECT * FROM rows_before'
        ELSE 'SELECT * FROM rows_after UNION ALL SELECT * FROM rows_before'
    END;
    is_many boolean := TG_OP = 'TRUNCATE';
BEGIN
    IF NOT is_many THEN
        EXECUTE format('SELECT count(*) > 2 * $1 FROM (SELECT 1 FROM (%s) AS r LIMIT 2 * $1 + 1) AS l', source)
        INTO is_many USING most;
    END IF;
    IF is_many THEN
        INSERT INTO recon.touched_objects (provider) VALUES (NULL);
    ELSE
        EXECUTE format(
            'INSERT INTO recon.touched_objects (provider, provider_ref, parent_ref, tx_hash, payment_ref, user_ref)'
            ' SELECT DISTINCT %s FROM (%s) AS r', columns, source
        );
    END IF;
    RETURN NULL;
END
$$;
DO $$
DECLARE
    watched text;
BEGIN
    FOREACH watched IN ARRAY ARRAY['provider_transactions', 'deposit_matches', 'link_payments', 'stripe_disputes'] LOOP
        EXECUTE format(
            'CREATE TRIGGER %s_touched_insert AFTER INSERT ON recon.%s REFERENCING NEW TABLE AS rows_after'
            ' FOR EACH STATEMENT EXECUTE FUNCTION recon.note_touched()', watched, watched
        );
        EXECUTE format(
            'CREATE TRIGGER %s_touched_update AFTER UPDATE ON recon.%s'
            ' REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after'
            ' FOR EACH STATEMENT EXECUTE FUNCTION recon.note_touched()', watched, watched
        );
        EXECUTE format(
            'CREATE TRIGGER %s_touched_delete AFTER DELETE ON recon.%s REFERENCING OLD TABLE AS rows_before'
            ' FOR EACH STATEMENT EXECUTE FUNCTION recon.note_touched()', watched, watched
        );
        EXECUTE format(
            'CREATE TRIGGER %s_touched_truncate AFTER TRUNCATE ON recon.%s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION recon.note_touched()', watched, watched
        );
    END LOOP;
END
$$;

-- What moved at the provider lately, and what was paid for a period that ends now.
CREATE INDEX provider_transactions_changed ON recon.provider_transactions (state_changed_at);
