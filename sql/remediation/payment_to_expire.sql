-- One payment of the application.
SELECT
    p.status,
    p.provider,
    p.provider_ref,
    p.expires_at,
    coalesce(m.state, 'unknown') AS app_state
FROM recon.app_payments AS p
LEFT JOIN recon.state_map AS m ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
WHERE p.payment_id = :payment_id;
