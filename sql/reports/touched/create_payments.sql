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
INNER JOIN recon.app_payments AS p
    ON e.since < coalesce(p.confirmed_at, p.created_at) AND e.until >= coalesce(p.confirmed_at, p.created_at)
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
INNER JOIN recon.app_payments AS p ON o.tx_hash = p.tx_hash AND o.provider = p.provider;
