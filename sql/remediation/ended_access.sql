-- The last event since the payment that took this user's access away on purpose, unless what was bought was given
-- again after it: as in sql/reports/activation_gaps.sql.
WITH events AS (
    SELECT
        e.event_id,
        e.event_type,
        e.created_at,
        coalesce(e.ends_access, FALSE)
        AND NOT (
            (
                lower(e.event_type) IN ('expired', 'subscription_expired')
                OR coalesce(lower(e.new_status), '') = 'expired'
            )
            AND (
                cast(:paid_until AS timestamptz) IS NULL
                OR e.created_at < cast(:paid_until AS timestamptz) - INTERVAL '25' HOUR
            )
        ) AS ends_access,
        coalesce(lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(:tier), FALSE) AS gives
    FROM recon.app_subscription_events AS e
    WHERE e.user_id = :user_id AND e.created_at > :paid_at
)

SELECT
    cast(e.event_id AS text) AS event_id,
    e.event_type,
    e.created_at
FROM events AS e
WHERE
    e.ends_access
    AND NOT e.gives
    AND NOT EXISTS (
        SELECT 1 FROM events AS g
        WHERE g.gives AND g.created_at >= e.created_at
    )
ORDER BY e.created_at DESC, e.event_id DESC
LIMIT 1;
