-- The application's payments with one reference of a provider.
SELECT
    p.status,
    p.amount,
    p.currency,
    cast(p.payment_id AS text) AS payment_id,
    cast(p.user_id AS text) AS user_id,
    coalesce(m.state, 'unknown') AS app_state
FROM recon.app_payments AS p
LEFT JOIN recon.state_map AS m ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
WHERE p.provider = :provider AND p.provider_ref = :provider_ref
ORDER BY p.created_at, p.payment_id;
