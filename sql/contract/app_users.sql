-- Contract: who has access to what now. has_access is the application's own answer to "may this user in?".
CREATE VIEW recon.app_users AS
SELECT
    u.id AS user_id,
    u.username,
    u.email,
    lower(btrim(u.subscription_status)) AS subscription_status,
    (lower(btrim(u.subscription_status)) IN ('active', 'trialing')) AS has_access,
    btrim(u.subscription_tier) AS subscription_tier,
    u.plan_id,
    u.last_payment_date,
    u.payment_due_date,
    u.subscription_renewal_date,
    u.subscription_updated_at,
    u.stripe_customer_id,
    u.trial_ends_at,
    u.access_override_until,
    u.is_internal,
    u.created_at,
    u.updated_at
FROM public.users AS u;
