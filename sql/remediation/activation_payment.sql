-- The newest payment of this user that is paid, at the provider or in the application, and buys a plan; where one
-- still runs, the newest of those. The rule of sql/reports/activation_gaps.sql and wrong_tier.sql for one user, on the
-- live tables, without their grace period (a payment made a second ago must stop the repair of an older one). The tests
-- hold all three against each other. renews_at is the end of the period that was bought, by PostgreSQL's calendar in
-- UTC: one month after 31 January is the last of February.
WITH bought AS (
    SELECT
        v.*,
        v.is_paid AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE) AS counts,
        v.paid_until IS NULL OR v.paid_until > :as_of AS runs
    FROM recon.payment_verdicts AS v
    WHERE
        v.user_id = :user_id
        AND v.plan_id IS NOT NULL
        AND v.booking_id IS NULL
        AND v.created_at <= :as_of
        AND (v.is_paid OR v.is_returned)
)

SELECT
    cast(n.payment_id AS text) AS payment_id,
    cast(n.plan_id AS text) AS plan_id,
    n.status AS payment_status,
    n.app_state,
    n.provider,
    n.provider_ref,
    n.provider_state,
    n.amount,
    n.currency,
    n.amount_refunded,
    n.is_full_price,
    n.is_his_alone,
    n.is_disputed,
    n.has_failed_refund,
    n.paid_at,
    n.bought_at,
    CASE WHEN n.is_known_period THEN n.shortest_until END AS shortest_until,
    n.plan_name,
    n.tier,
    n.period,
    n.evidence_account,
    n.evidence_ref,
    CASE WHEN n.is_known_period THEN n.paid_until END AS renews_at,
    coalesce(u.has_access, FALSE) AND (
        EXISTS (
            SELECT 1 FROM bought AS o
            WHERE
                o.payment_id <> n.payment_id
                AND o.counts
                AND o.runs
                AND lower(o.tier) IS DISTINCT FROM lower(n.tier)
                AND NOT coalesce(
                    o.price_currency = n.price_currency
                    AND o.price_a_day < n.price_a_day
                    AND (n.paid_until IS NULL OR o.paid_until <= n.paid_until),
                    FALSE
                )
        )
        OR coalesce(
            lower(u.subscription_tier) <> lower(n.tier) AND u.subscription_renewal_date > n.paid_until, FALSE
        )
    ) AS takes_away,
    coalesce(u.has_access, FALSE)
    AND coalesce(u.subscription_status, '') = 'trialing'
    AND (u.trial_ends_at IS NULL OR u.trial_ends_at > :as_of)
    AND coalesce(lower(u.subscription_tier), 'free') <> 'free'
    AND NOT EXISTS (
        SELECT 1 FROM recon.app_plans AS c
        WHERE
            lower(c.tier) = lower(u.subscription_tier)
            AND c.currency = n.price_currency
            AND c.price / CASE lower(c.period)
                WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 30 WHEN 'quarter' THEN 91 WHEN 'year' THEN 365
            END
            < n.price_a_day
    ) AS is_on_trial,
    NOT coalesce(u.has_access, FALSE)
    AND coalesce(u.subscription_status, '') IN ('canceled', 'cancelled')
    AND u.subscription_updated_at IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM recon.app_subscription_events AS e
        WHERE e.user_id = n.user_id AND e.ends_access AND e.created_at <= :as_of
    ) AS is_cancelled_some_day,
    coalesce(u.has_access, FALSE) AND EXISTS (
        SELECT 1 FROM bought AS f
        WHERE f.paid_at > n.paid_at AND lower(f.tier) = lower(u.subscription_tier)
    ) AS is_superseded
FROM bought AS n
INNER JOIN recon.app_users AS u ON n.user_id = u.user_id
WHERE n.counts
ORDER BY n.runs DESC, n.paid_at DESC, n.payment_id DESC
LIMIT 1;
