-- What the application says differently, under its old key and under its new one.
INSERT INTO pg_temp.changed_keys (kind, key)
SELECT
    'payment',
    p.payment_ref
FROM pg_temp.changed_payments AS p
UNION
SELECT
    k.provider,
    k.provider_ref
FROM pg_temp.changed_payments AS p
CROSS JOIN
    LATERAL (
        VALUES (p.provider, p.provider_ref), (p.old_provider, p.old_provider_ref)
    ) AS k (provider, provider_ref)
WHERE k.provider IN ('stripe', 'nowpayments', 'okx') AND k.provider_ref IS NOT NULL
UNION
SELECT
    'hash',
    k.tx_hash
FROM pg_temp.changed_payments AS p
CROSS JOIN LATERAL (VALUES (p.tx_hash), (p.old_tx_hash)) AS k (tx_hash)
WHERE k.tx_hash IS NOT NULL
UNION
SELECT
    'user',
    u.user_ref
FROM pg_temp.changed_users AS u
UNION
SELECT
    'customer',
    k.customer_ref
FROM pg_temp.changed_users AS u
CROSS JOIN LATERAL (VALUES (u.customer_ref), (u.old_customer_ref)) AS k (customer_ref)
WHERE k.customer_ref IS NOT NULL
UNION
SELECT
    'transfer',
    k.provider_ref
FROM pg_temp.changed_payouts AS o
CROSS JOIN LATERAL (VALUES (o.provider_ref), (o.old_provider_ref)) AS k (provider_ref)
WHERE k.provider_ref IS NOT NULL;
