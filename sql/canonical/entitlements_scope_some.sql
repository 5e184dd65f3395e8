-- Whose entitlement is judged, and by which payments: for plans, less those that lapsed by the application's own word.
-- Here: these users (ids in the application's own type).
CREATE TEMPORARY TABLE entitlement_scope ON COMMIT DROP AS
SELECT
    p.user_id,
    p.payment_id
FROM recon.app_payments AS p
LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
WHERE
    p.plan_id IS NOT NULL
    AND p.booking_id IS NULL
    AND p.user_id = any(:users)
    AND p.created_at <= :as_of
    AND (
        p.confirmed_at IS NULL
        OR lower(l.period) = 'lifetime'
        OR p.confirmed_at > :as_of - INTERVAL '1' DAY * CASE lower(l.period)
            WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 31 WHEN 'quarter' THEN 92 ELSE 366
        END
    );
