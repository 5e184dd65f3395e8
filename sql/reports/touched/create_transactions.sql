-- Objects to be compared anew: touched ones, and all that touched payments are compared with, by id, hash or link; also
-- payments that are gone.
CREATE TEMPORARY TABLE touched_transactions ON COMMIT DROP AS
WITH refs AS (
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
        p.provider,
        p.provider_ref
    FROM pg_temp.touched_payments AS p
),

known_hashes AS (
    SELECT
        r.provider,
        r.provider_ref AS tx_hash
    FROM refs AS r
    UNION
    SELECT
        o.provider,
        o.tx_hash
    FROM pg_temp.touched_objects AS o
    UNION
    SELECT
        p.provider,
        p.tx_hash
    FROM pg_temp.touched_payments AS p
),

payments AS (
    SELECT o.payment_ref
    FROM pg_temp.touched_objects AS o
    UNION
    SELECT cast(p.payment_id AS text) AS payment_ref
    FROM pg_temp.touched_payments AS p
)

SELECT
    r.provider,
    r.provider_ref
FROM refs AS r
WHERE r.provider_ref IS NOT NULL
UNION
SELECT
    t.provider,
    t.provider_ref
FROM known_hashes AS h
INNER JOIN recon.provider_transactions AS t ON h.tx_hash = t.tx_hash AND h.provider = t.provider AND t.kind = 'deposit'
WHERE h.provider = 'okx'
UNION
SELECT
    m.provider,
    m.provider_ref
FROM payments AS p
INNER JOIN recon.deposit_matches AS m ON p.payment_ref = m.payment_ref AND m.state = 'matched'
UNION
SELECT
    t.provider,
    t.provider_ref
FROM payments AS p
INNER JOIN recon.provider_transactions AS t
    ON p.payment_ref = t.payment_ref AND t.link_method IN ('metadata', 'checkout')
UNION
SELECT
    'stripe' AS provider,
    i.object_id AS provider_ref
FROM refs AS r
INNER JOIN recon.stripe_payment_intents AS i ON r.provider_ref = i.charge_id
WHERE r.provider = 'stripe' AND substring(r.provider_ref, 1, 3) IN ('ch_', 'py_');
