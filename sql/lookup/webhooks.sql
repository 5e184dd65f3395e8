-- What the inbox kept about this user, these payments or these objects of providers, oldest first.
WITH about AS (
    SELECT w.webhook_id
    FROM recon.app_users AS u
    INNER JOIN recon.app_webhook_logs AS w ON u.user_id = w.user_id
    WHERE cast(u.user_id AS text) = :user_ref
    UNION
    SELECT w.webhook_id
    FROM recon.app_payments AS p
    INNER JOIN recon.app_webhook_logs AS w ON p.payment_id = w.payment_id
    WHERE cast(p.payment_id AS text) = any(:payments)
    UNION
    SELECT w.webhook_id
    FROM recon.app_webhook_logs AS w
    WHERE w.object_ref = any(:refs)
)

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
FROM about AS a
INNER JOIN recon.app_webhook_logs AS w ON a.webhook_id = w.webhook_id
ORDER BY w.created_at, w.webhook_id
LIMIT :most;
