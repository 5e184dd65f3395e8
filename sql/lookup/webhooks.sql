-- What the inbox kept about this user or these payments.
SELECT
    cast(w.webhook_id AS text) AS webhook_id,
    w.provider,
    w.webhook_type,
    w.signature_valid,
    w.processing_status,
    w.error_message,
    w.object_ref,
    w.created_at,
    w.processed_at
FROM recon.app_webhook_logs AS w
LEFT JOIN recon.app_users AS u ON w.user_id = u.user_id
LEFT JOIN recon.app_payments AS p ON w.payment_id = p.payment_id
WHERE
    cast(u.user_id AS text) = :user_ref
    OR cast(p.payment_id AS text) = any(:payments)
    OR w.object_ref = any(:refs)
ORDER BY w.created_at, w.webhook_id
LIMIT :most;
