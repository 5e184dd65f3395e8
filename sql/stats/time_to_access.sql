-- Seconds from a payment to the access it bought, by provider: half of the payers waited less than p50, nineteen of
-- twenty less than p95.
WITH waits AS (
    SELECT
        p.provider,
        greatest(extract(EPOCH FROM min(e.created_at) - coalesce(p.confirmed_at, p.created_at)), 0) AS seconds
    FROM recon.app_payments AS p
    INNER JOIN recon.app_subscription_events AS e ON p.user_id = e.user_id AND p.payment_id = e.payment_id
    WHERE
        p.created_at > cast(:since AS timestamptz)
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND lower(e.new_status) IN ('active', 'trialing')
    GROUP BY p.provider, p.payment_id, p.confirmed_at, p.created_at
)

SELECT
    w.provider,
    count(*) AS payments,
    round(cast(percentile_cont(0.5) WITHIN GROUP (ORDER BY w.seconds) AS numeric), 1) AS p50_seconds,
    round(cast(percentile_cont(0.95) WITHIN GROUP (ORDER BY w.seconds) AS numeric), 1) AS p95_seconds,
    round(cast(max(w.seconds) AS numeric), 1) AS longest_seconds
FROM waits AS w
GROUP BY w.provider
ORDER BY w.provider;
