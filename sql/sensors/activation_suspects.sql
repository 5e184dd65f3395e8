-- Did a payment become paid in this window whose user has no access, or another tier? A suspicion: the report decides.
SELECT
    count(*) AS suspects,
    cast(max(p.payment_id) AS text) AS newest_payment
FROM recon.app_payments AS p
INNER JOIN recon.state_map AS s
    ON s.provider = 'app' AND s.resource = 'app_payment' AND p.status = s.raw_status AND s.state = 'paid'
INNER JOIN recon.app_users AS u ON p.user_id = u.user_id
INNER JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
WHERE
    p.updated_at > :since
    AND p.updated_at <= :until
    AND p.booking_id IS NULL
    AND NOT u.is_internal
    AND (NOT u.has_access OR u.subscription_tier IS DISTINCT FROM l.tier);
