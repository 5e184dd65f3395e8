-- Provider objects that we wrote since the last refresh, whose state is too young for a grace period that may have
-- passed since, or that were paid for a period that may end now, unless the application's own word says when it began.
CREATE TEMPORARY TABLE touched_objects ON COMMIT DROP AS
SELECT
    o.provider,
    o.provider_ref,
    o.parent_ref,
    o.tx_hash,
    o.payment_ref,
    o.user_ref
FROM recon.touched_objects AS o
WHERE o.changed_in >= cast(:changed_from AS xid8)
UNION
SELECT
    t.provider,
    t.provider_ref,
    t.parent_ref,
    t.tx_hash,
    t.payment_ref,
    t.user_ref
FROM recon.provider_transactions AS t
WHERE t.state_changed_at > :since
UNION
SELECT
    t.provider,
    t.provider_ref,
    t.parent_ref,
    t.tx_hash,
    t.payment_ref,
    t.user_ref
FROM pg_temp.touched_ends AS e
INNER JOIN LATERAL (
    -- The limit is a fence: what is in a window is asked for by index.
    SELECT o.*
    FROM recon.provider_transactions AS o
    WHERE o.state_changed_at > e.since AND o.state_changed_at <= e.until
    ORDER BY o.state_changed_at
    LIMIT 100000
) AS t ON TRUE
WHERE
    e.period <> 'any'
    -- Asked for each by index, too.
    AND (
        SELECT max(p.confirmed_at)
        FROM recon.app_payments AS p
        WHERE p.provider = t.provider AND p.provider_ref = t.provider_ref
    ) IS NULL;
