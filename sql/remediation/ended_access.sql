-- The last event since the payment that took this user's access away on purpose, or put them where they are, unless
-- what was bought was given again after it: as in sql/reports/activation_gaps.sql and wrong_tier.sql.
WITH events AS (
    SELECT
        e.event_id,
        e.event_type,
        e.created_at,
        coalesce(
            u.has_access
            AND lower(e.new_tier) = lower(u.subscription_tier)
            AND (
                lower(e.actor) LIKE 'admin%'
                OR lower(e.actor) LIKE 'support%'
                OR lower(e.actor) LIKE 'staff%'
                OR lower(e.event_type) IN ('granted', 'gifted', 'comped', 'admin_override')
            ),
            FALSE
        )
        OR coalesce(e.ends_access, FALSE)
        AND NOT (
            (
                lower(e.event_type) IN ('expired', 'subscription_expired')
                OR coalesce(lower(e.new_status), '') = 'expired'
            )
            AND (
                cast(:shortest_until AS timestamptz) IS NULL
                OR e.created_at < cast(:shortest_until AS timestamptz)
            )
        ) AS ends_access,
        coalesce(lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(:tier), FALSE) AS gives
    FROM recon.app_subscription_events AS e
    INNER JOIN recon.app_users AS u ON e.user_id = u.user_id
    WHERE e.user_id = :user_id AND e.created_at > :bought_at
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
