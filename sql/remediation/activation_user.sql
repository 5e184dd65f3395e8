-- The user as the application has it now; of what has_access rests on, whatever an activation depends on or changes.
SELECT
    u.subscription_status,
    u.has_access,
    u.subscription_tier,
    cast(u.plan_id AS text) AS plan_id,
    u.last_payment_date,
    u.payment_due_date,
    u.subscription_renewal_date,
    u.subscription_updated_at,
    u.access_override_until,
    u.is_internal
FROM recon.app_users AS u
WHERE u.user_id = :user_id;
