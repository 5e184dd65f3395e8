-- Webhooks of the last day by provider: when the last came, how many were refused or failed.
SELECT
    w.provider,
    count(*) AS webhooks,
    count(*) FILTER (WHERE w.signature_valid IS FALSE) AS refused,
    count(*) FILTER (WHERE lower(w.processing_status) IN ('failed', 'error')) AS failed,
    max(w.created_at) AS newest
FROM recon.app_webhook_logs AS w
WHERE w.created_at > cast(:now AS timestamptz) - INTERVAL '1' DAY AND w.created_at <= cast(:now AS timestamptz)
GROUP BY w.provider
ORDER BY w.provider;
