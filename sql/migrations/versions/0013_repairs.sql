-- Repairs that move money: policies by report with caps and history, approvals, the switch that stops everything, and
-- intents that are stored before a provider is called.

CREATE FUNCTION recon.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'recon.% is append-only: % refused', TG_TABLE_NAME, TG_OP;
END
$$;

-- A policy is of a kind of action, or of one report's actions of that kind (report '' is every other report).
-- max_per_day null: no such cap. What costs somebody access or money back never happens by itself.
ALTER TABLE recon.policies
ADD COLUMN report text NOT NULL DEFAULT '',
ADD COLUMN max_per_day integer CHECK (max_per_day >= 0),
ADD COLUMN expires_after interval NOT NULL DEFAULT INTERVAL '7' DAY,
ADD COLUMN version integer NOT NULL DEFAULT 1,
ADD CONSTRAINT policies_never_auto CHECK (mode <> 'auto' OR action NOT IN ('revoke_access', 'refund_payment')),
DROP CONSTRAINT policies_pkey,
ADD PRIMARY KEY (action, report);

-- Caps on money, in major units. Where a policy has limits, an amount in a currency without one counts as above
-- second_approval_above: it can't be compared.
CREATE TABLE recon.policy_limits (
    action text NOT NULL,
    report text NOT NULL DEFAULT '',
    currency text NOT NULL CHECK (currency = upper(currency)),
    max_amount_per_run numeric CHECK (max_amount_per_run >= 0),
    max_amount_per_day numeric CHECK (max_amount_per_day >= 0),
    second_approval_above numeric CHECK (second_approval_above >= 0),
    PRIMARY KEY (action, report, currency),
    FOREIGN KEY (action, report) REFERENCES recon.policies (action, report) ON DELETE CASCADE
);

-- Every version a policy or a limit ever had, whoever changed it and however.
CREATE TABLE recon.policy_versions (
    policy_version_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    database_user text NOT NULL DEFAULT session_user,
    changed_table text NOT NULL,
    change text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE TRIGGER policy_versions_append_only BEFORE UPDATE OR DELETE ON recon.policy_versions
FOR EACH ROW EXECUTE FUNCTION recon.refuse_rewrite();
CREATE TRIGGER policy_versions_no_truncate BEFORE TRUNCATE ON recon.policy_versions
FOR EACH STATEMENT EXECUTE FUNCTION recon.refuse_rewrite();

CREATE FUNCTION recon.number_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER policies_number BEFORE UPDATE ON recon.policies
FOR EACH ROW EXECUTE FUNCTION recon.number_policy();

CREATE FUNCTION recon.keep_policy_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recon.policy_versions (changed_table, change, before, after)
    VALUES (
        TG_TABLE_NAME,
        lower(TG_OP),
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
        CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER policies_versions AFTER INSERT OR UPDATE OR DELETE ON recon.policies
FOR EACH ROW EXECUTE FUNCTION recon.keep_policy_version();
CREATE TRIGGER policy_limits_versions AFTER INSERT OR UPDATE OR DELETE ON recon.policy_limits
FOR EACH ROW EXECUTE FUNCTION recon.keep_policy_version();

INSERT INTO recon.policies (action, report, mode, approvals, max_per_run, max_per_day, changed_at, changed_by)
SELECT
    d.action,
    d.report,
    d.mode,
    d.approvals,
    d.max_per_run,
    d.max_per_day,
    cast('2026-01-01 00:00:00+00' AS timestamptz) AS changed_at,
    'default' AS changed_by
FROM (
    VALUES
    ('activate_by_hand', '', 'propose', 0, 100, 100),
    ('sync_payment_status', '', 'auto', 0, 500, 2000),
    ('capture_payment', '', 'propose', 1, 50, 200),
    ('release_authorization', '', 'propose', 1, 50, 200),
    ('release_authorization', 'no_show_holds', 'auto', 0, 50, 200),
    ('confirm_crypto_payment', '', 'propose', 1, 50, 200),
    ('expire_payment', '', 'propose', 0, 500, 2000),
    ('revoke_access', '', 'propose', 1, 50, 100),
    ('refund_payment', '', 'propose', 1, 20, 50),
    ('retry_payout', '', 'propose', 1, 20, 50),
    ('resolve_finding', '', 'propose', 0, 500, NULL),
    ('snooze_finding', '', 'propose', 0, 500, NULL)
) AS d (action, report, mode, approvals, max_per_run, max_per_day)
ON CONFLICT (action, report) DO NOTHING;

INSERT INTO recon.policy_limits (
    action, currency, max_amount_per_run, max_amount_per_day, second_approval_above
)
SELECT
    k.action,
    c.currency,
    10000 AS max_amount_per_run,
    25000 AS max_amount_per_day,
    500 AS second_approval_above
FROM (VALUES ('capture_payment'), ('refund_payment'), ('retry_payout')) AS k (action)
CROSS JOIN (VALUES ('USD'), ('EUR'), ('GBP')) AS c (currency);

-- What an action is about in money, what was asked of the provider, and who is at it. intent is committed before the
-- call; intended_at is when the caps were charged. Leases run by the database's clock, which all workers share.
ALTER TABLE recon.actions
ADD COLUMN report text,
ADD COLUMN amount numeric,
ADD COLUMN currency text,
ADD COLUMN expires_at timestamptz,
ADD COLUMN intent jsonb,
ADD COLUMN intended_at timestamptz,
ADD COLUMN leased_by text;
CREATE INDEX actions_spent ON recon.actions (kind, intended_at) WHERE intended_at IS NOT NULL;

CREATE FUNCTION recon.check_action_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('verified', 'failed', 'rejected', 'expired') THEN
        RAISE EXCEPTION 'action % is % for good', OLD.action_id, OLD.state;
    END IF;
    IF OLD.state = 'applying' AND NEW.state IN ('proposed', 'approved', 'expired') THEN
        RAISE EXCEPTION 'action % is applying: it can only be settled, not become %', OLD.action_id, NEW.state;
    END IF;
    IF OLD.state = 'approved' AND NEW.state = 'proposed' THEN
        RAISE EXCEPTION 'action % is approved: it can''t become proposed again', OLD.action_id;
    END IF;
    IF (NEW.kind, NEW.target, NEW.proposed_by, NEW.precondition_digest)
        IS DISTINCT FROM (OLD.kind, OLD.target, OLD.proposed_by, OLD.precondition_digest)
    THEN
        RAISE EXCEPTION 'action %: what was proposed can''t be changed', OLD.action_id;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER actions_steps BEFORE UPDATE ON recon.actions
FOR EACH ROW EXECUTE FUNCTION recon.check_action_step();

-- Who agreed, and to what: an approval is of the facts that the action was planned on. Never the proposer, and of
-- anybody only one; names are compared without case and outer spaces.
CREATE TABLE recon.approvals (
    action_id bigint NOT NULL REFERENCES recon.actions,
    approver text NOT NULL CHECK (btrim(approver) <> ''),
    approved_at timestamptz NOT NULL,
    precondition_digest text NOT NULL,
    note text
);
CREATE UNIQUE INDEX approvals_once ON recon.approvals (action_id, lower(btrim(approver)));
CREATE TRIGGER approvals_append_only BEFORE UPDATE OR DELETE ON recon.approvals
FOR EACH ROW EXECUTE FUNCTION recon.refuse_rewrite();
CREATE TRIGGER approvals_no_truncate BEFORE TRUNCATE ON recon.approvals
FOR EACH STATEMENT EXECUTE FUNCTION recon.refuse_rewrite();

CREATE FUNCTION recon.check_approver() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM recon.actions AS a
        WHERE a.action_id = NEW.action_id AND lower(btrim(a.proposed_by)) = lower(btrim(NEW.approver))
    ) THEN
        RAISE EXCEPTION 'action %: its proposer can''t approve it', NEW.action_id;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER approvals_approver BEFORE INSERT ON recon.approvals
FOR EACH ROW EXECUTE FUNCTION recon.check_approver();

-- The switch that stops every repair at once: one row.
CREATE TABLE recon.repair_switch (
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    stopped boolean NOT NULL,
    reason text,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);
INSERT INTO recon.repair_switch (stopped, changed_at, changed_by)
VALUES (FALSE, cast('2026-01-01 00:00:00+00' AS timestamptz), 'default');
