-- The user's payments as the application keeps them, the newest last.
SELECT
    cast(p.payment_id AS text) AS payment_id,
    p.provider,
    p.provider_ref,
    p.status,
    p.amount,
    p.currency,
    p.crypto_amount,
    p.crypto_currency,
    cast(p.booking_id AS text) AS booking_id,
    l.plan_name,
    p.created_at,
    p.confirmed_at,
    p.updated_at
FROM recon.app_users AS u
INNER JOIN recon.app_payments AS p ON u.user_id = p.user_id
LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
WHERE cast(u.user_id AS text) = :user_ref
ORDER BY p.created_at, p.payment_id;
