-- app_webhook_logs by created_at: silence and failures are looked for in the last hours.
SELECT 1 AS found FROM recon.app_webhook_logs AS w WHERE w.created_at > cast('2026-01-01' AS timestamptz);
