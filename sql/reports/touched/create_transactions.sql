-- Objects to be compared anew: touched ones, and all that touched payments are compared with.
CREATE TEMPORARY TABLE touched_transactions ON COMMIT DROP AS
SELECT
    o.provider,
    o.provider_ref
FROM pg_temp.touched_objects AS o
WHERE o.provider_ref IS NOT NULL
UNION
SELECT
    o.provider,
    o.parent_ref
FROM pg_temp.touched_objects AS o
WHERE o.parent_ref IS NOT NULL
UNION
SELECT
    p.provider,
    p.provider_ref
FROM pg_temp.touched_payments AS p
WHERE p.provider_ref IS NOT NULL
UNION
SELECT
    t.provider,
    t.provider_ref
FROM (
    SELECT
        p.provider,
        p.tx_hash
    FROM pg_temp.touched_payments AS p
    UNION
    SELECT
        p.provider,
        p.provider_ref
    FROM pg_temp.touched_payments AS p
) AS h
INNER JOIN recon.provider_transactions AS t ON h.tx_hash = t.tx_hash AND h.provider = t.provider AND t.kind = 'deposit'
UNION
SELECT
    m.provider,
    m.provider_ref
FROM pg_temp.touched_payments AS p
INNER JOIN recon.deposit_matches AS m ON cast(p.payment_id AS text) = m.payment_ref AND m.state = 'matched'
UNION
SELECT
    t.provider,
    t.provider_ref
FROM pg_temp.touched_payments AS p
INNER JOIN recon.provider_transactions AS t
    ON cast(p.payment_id AS text) = t.payment_ref AND t.link_method IN ('metadata', 'checkout');
