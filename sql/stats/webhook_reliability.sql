-- What became of webhooks, by provider and day.
SELECT
    w.provider,
    cast(w.created_at AT TIME ZONE 'UTC' AS date) AS day,
    count(*) AS webhooks,
    count(*) FILTER (WHERE w.signature_valid IS FALSE) AS refused,
    count(*) FILTER (WHERE w.processed_at IS NULL AND w.signature_valid IS NOT FALSE) AS not_processed,
    round(100.0 * count(*) FILTER (WHERE w.processed_at IS NOT NULL) / count(*), 1) AS percent_processed,
    round(
        cast(
            percentile_cont(0.95) WITHIN GROUP (
                ORDER BY greatest(extract(EPOCH FROM w.processed_at - w.created_at), 0)
            ) AS numeric
        ), 1
    ) AS p95_seconds
FROM recon.app_webhook_logs AS w
WHERE w.created_at > cast(:since AS timestamptz) AND w.created_at <= cast(:as_of AS timestamptz)
GROUP BY w.provider, day
ORDER BY day DESC, w.provider ASC;
