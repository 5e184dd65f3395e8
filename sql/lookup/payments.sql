-- Payments of the application that a word may mean: its id, the provider's id, or a transaction hash.
SELECT
    cast(p.payment_id AS text) AS payment_id,
    cast(p.user_id AS text) AS user_id,
    u.username,
    l.plan_name,
    cast(p.booking_id AS text) AS booking_id,
    p.provider,
    p.provider_ref,
    p.status,
    p.amount,
    p.currency,
    p.crypto_amount,
    p.crypto_currency,
    p.received_amount,
    p.network,
    p.deposit_address,
    p.tx_hash,
    p.created_at,
    p.expires_at,
    p.confirmed_at,
    p.updated_at
FROM recon.app_payments AS p
LEFT JOIN recon.app_users AS u ON p.user_id = u.user_id
LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
WHERE
    cast(p.payment_id AS text) = any(:words)
    OR p.provider_ref = any(array(SELECT recon.plain_reference(w) FROM unnest(cast(:words AS text[])) AS w))
    OR p.tx_hash = any(array(SELECT recon.plain_reference(w) FROM unnest(cast(:words AS text[])) AS w))
ORDER BY p.created_at, p.payment_id
LIMIT :most;
