-- app_webhook_logs by payment_id: where an activation was lost is told by its webhooks.
SELECT 1 AS found
FROM recon.app_webhook_logs AS w
WHERE w.payment_id = (SELECT max(p.payment_id) FROM recon.app_payments AS p WHERE FALSE);
