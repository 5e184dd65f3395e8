-- Payments of the application that changed since the last refresh, whose period ends now, or whose objects are
-- touched.
CREATE TEMPORARY TABLE touched_payments ON COMMIT DROP AS
SELECT
    p.payment_id,
    p.user_id,
    p.provider,
    p.provider_ref,
    p.tx_hash
FROM recon.app_payments AS p
WHERE p.updated_at > :since
UNION
SELECT
    p.payment_id,
    p.user_id,
    p.provider,
    p.provider_ref,
    p.tx_hash
FROM pg_temp.touched_ends AS e
INNER JOIN LATERAL (
    -- The limit is a fence: what is in a window is asked for by index.
    SELECT q.*
    FROM recon.app_payments AS q
    WHERE coalesce(q.confirmed_at, q.created_at) > e.since AND coalesce(q.confirmed_at, q.created_at) <= e.until
    ORDER BY coalesce(q.confirmed_at, q.created_at)
    LIMIT 100000
) AS p ON TRUE
LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
WHERE
    e.period = 'any'
    OR e.period = CASE
        WHEN p.plan_id IS NULL THEN 'none'
        WHEN lower(l.period) IN ('day', 'week', 'month', 'quarter', 'lifetime') THEN lower(l.period)
        ELSE 'year'
    END
UNION
SELECT
    p.payment_id,
    p.user_id,
    p.provider,
    p.provider_ref,
    p.tx_hash
FROM (
    SELECT
        o.provider,
        o.provider_ref
    FROM pg_temp.touched_objects AS o
    UNION
    SELECT
        o.provider,
        o.parent_ref
    FROM pg_temp.touched_objects AS o
    UNION
    SELECT
        o.provider,
        o.tx_hash
    FROM pg_temp.touched_objects AS o
) AS r
INNER JOIN recon.app_payments AS p ON r.provider = p.provider AND r.provider_ref = p.provider_ref
UNION
SELECT
    p.payment_id,
    p.user_id,
    p.provider,
    p.provider_ref,
    p.tx_hash
FROM pg_temp.touched_objects AS o
INNER JOIN LATERAL (
    -- Hash by hash: nothing tells the planner how few payments share one, as it learns nothing from a partial index.
    SELECT q.*
    FROM recon.app_payments AS q
    WHERE q.tx_hash = o.tx_hash AND q.provider = o.provider
    ORDER BY q.tx_hash
    LIMIT 100000
) AS p ON TRUE;
