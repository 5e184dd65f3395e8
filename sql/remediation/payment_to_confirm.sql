-- One payment of the application, as far as deposits settle it.
SELECT
    p.status,
    p.amount,
    p.currency,
    p.crypto_currency,
    p.crypto_amount,
    p.received_amount,
    p.tx_hash,
    cast(p.user_id AS text) AS user_id,
    cast(p.plan_id AS text) AS plan_id,
    coalesce(m.state, 'unknown') AS app_state
FROM recon.app_payments AS p
LEFT JOIN recon.state_map AS m ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
WHERE p.payment_id = :payment_id;
