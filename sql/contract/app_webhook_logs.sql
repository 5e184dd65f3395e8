-- Contract: webhooks as the application's inbox recorded them. event_ref is the provider's id of the event, object_ref
-- of what the event is about; NULL where the inbox did not keep it.
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
    lower(btrim(w.payment_method)) AS provider,
    CASE WHEN w.webhook_data ->> 'id' LIKE 'evt_%' THEN w.webhook_data ->> 'id' ELSE w.webhook_data ->> 'event_id' END
        AS event_ref,
    coalesce(
        w.webhook_data #>> '{data,object,id}',
        w.webhook_data ->> 'payment_id',
        w.webhook_data ->> 'depId',
        CASE WHEN w.webhook_data ->> 'object' ~ '^[a-z]+_[0-9A-Za-z]*[0-9]' THEN w.webhook_data ->> 'object' END,
        CASE WHEN w.webhook_data ->> 'id' NOT LIKE 'evt_%' THEN w.webhook_data ->> 'id' END
    ) AS object_ref
FROM public.webhook_logs AS w;
