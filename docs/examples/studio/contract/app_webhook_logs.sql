-- Contract: the studio keeps no webhook log, so reasons that need one read "webhook never came".
CREATE VIEW recon.app_webhook_logs AS
SELECT
    cast(NULL AS bigint) AS webhook_id,
    cast(NULL AS text) AS provider,
    cast(NULL AS text) AS webhook_type,
    cast(NULL AS jsonb) AS webhook_data,
    cast(NULL AS boolean) AS signature_valid,
    cast(NULL AS text) AS processing_status,
    cast(NULL AS text) AS error_message,
    cast(NULL AS uuid) AS user_id,
    cast(NULL AS bigint) AS payment_id,
    cast(NULL AS text) AS plan_id,
    cast(NULL AS timestamptz) AS created_at,
    cast(NULL AS timestamptz) AS processed_at,
    cast(NULL AS text) AS event_ref,
    cast(NULL AS text) AS object_ref
WHERE FALSE;
