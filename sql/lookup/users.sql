-- Users that a word may mean: id, e-mail address, name, or the provider's id of the customer; the id first.
SELECT
    cast(u.user_id AS text) AS user_id,
    u.username,
    u.email,
    u.subscription_status,
    u.has_access,
    u.subscription_tier,
    cast(u.plan_id AS text) AS plan_id,
    p.plan_name,
    u.last_payment_date,
    u.payment_due_date,
    u.subscription_renewal_date,
    u.subscription_updated_at,
    u.stripe_customer_id,
    u.trial_ends_at,
    u.access_override_until,
    u.is_internal,
    u.created_at
FROM recon.app_users AS u
LEFT JOIN recon.app_plans AS p ON u.plan_id = p.plan_id
WHERE
    cast(u.user_id AS text) = :word
    OR lower(u.email) = lower(:word)
    OR lower(u.username) = lower(:word)
    OR u.stripe_customer_id = :word
ORDER BY cast(u.user_id AS text) <> :word, u.user_id
LIMIT :most;
