-- Gives the user what was paid for, as the application does when a payment is confirmed. Changes exactly one row.
-- Parameters: user_id, plan_id (text), tier (text), paid_at (when the payment was made), renews_at (when the period
-- ends; null for lifetime plans), at (now). Times are timestamptz.
UPDATE public.users
SET
    subscription_status = 'active',
    subscription_tier = :tier,
    plan_id = :plan_id,
    last_payment_date = :paid_at,
    payment_due_date = :renews_at,
    subscription_renewal_date = :renews_at,
    subscription_updated_at = :at,
    updated_at = :at
WHERE id = :user_id;
