-- Which payments became paid in this window whose user has no access, or another tier? Suspicions: the report decides.
-- And up to when has it decided? One row without a payment when there is none.
WITH judged AS (
    SELECT r.as_of
    FROM recon.report_runs AS r
    WHERE r.report = :report
    ORDER BY r.report_run_id DESC
    LIMIT 1
),

suspects AS (
    SELECT
        cast(p.payment_id AS text) AS payment_id,
        p.updated_at
    FROM recon.app_payments AS p
    INNER JOIN recon.state_map AS m
        ON m.provider = 'app' AND m.resource = 'app_payment' AND p.status = m.raw_status AND m.state = 'paid'
    INNER JOIN recon.app_users AS u ON p.user_id = u.user_id
    INNER JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
    WHERE
        p.updated_at > :since
        AND p.updated_at <= :until
        AND p.booking_id IS NULL
        AND NOT u.is_internal
        AND (NOT u.has_access OR u.subscription_tier IS DISTINCT FROM l.tier)
    ORDER BY p.updated_at DESC
    LIMIT :max_rows
)

SELECT
    s.payment_id,
    s.updated_at,
    j.as_of AS judged_at
FROM suspects AS s
FULL OUTER JOIN judged AS j ON TRUE
ORDER BY s.updated_at, s.payment_id;
