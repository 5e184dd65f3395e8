-- Contract: webhooks as the application's inbox recorded them.
CREATE VIEW recon.app_webhook_logs AS
SELECT
    w.id AS webhook_id,
    w.webhook_type,
    w.webhook_data,
    w.signature_valid,
    w.processing_status,
    w.error_message,
    w.user_id,
    w.payment_id,
    w.plan_id,
    w.created_at,
    w.processed_at,
    lower(btrim(w.payment_method)) AS provider
FROM public.webhook_logs AS w;
