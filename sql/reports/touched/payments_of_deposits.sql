-- All payments that know a touched deposit by its hash.
INSERT INTO touched_payments (payment_id, user_id, provider, provider_ref, tx_hash)
WITH deposits AS (
    SELECT DISTINCT
        t.provider,
        t.tx_hash
    FROM pg_temp.touched_transactions AS k
    INNER JOIN LATERAL (
        -- The limit is a fence: object by object, never by all deposits there are.
        SELECT o.*
        FROM recon.provider_transactions AS o
        WHERE o.provider = k.provider AND o.provider_ref = k.provider_ref
        ORDER BY o.provider_ref
        LIMIT 1000
    ) AS t ON TRUE
    WHERE k.provider <> 'stripe' AND t.kind = 'deposit' AND t.tx_hash IS NOT NULL
)

SELECT
    p.payment_id,
    p.user_id,
    p.provider,
    p.provider_ref,
    p.tx_hash
FROM deposits AS d
INNER JOIN LATERAL (
    -- Hash by hash, as in create_payments.sql.
    SELECT q.*
    FROM recon.app_payments AS q
    WHERE q.tx_hash = d.tx_hash AND q.provider = d.provider
    ORDER BY q.tx_hash
    LIMIT 100000
) AS p ON TRUE
UNION
SELECT
    p.payment_id,
    p.user_id,
    p.provider,
    p.provider_ref,
    p.tx_hash
FROM deposits AS d
INNER JOIN recon.app_payments AS p ON d.tx_hash = p.provider_ref AND d.provider = p.provider
EXCEPT
SELECT
    k.payment_id,
    k.user_id,
    k.provider,
    k.provider_ref,
    k.tx_hash
FROM pg_temp.touched_payments AS k;
