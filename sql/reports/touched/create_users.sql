-- Users to be judged anew: who changed, whose exception or trial ends, whose payments or their objects are touched, and
-- about whom there is news in the log of subscriptions or in the webhook inbox.
CREATE TEMPORARY TABLE touched_users ON COMMIT DROP AS
SELECT u.user_id
FROM recon.app_users AS u
WHERE u.updated_at > :since
UNION
SELECT u.user_id
FROM recon.app_users AS u
WHERE u.access_override_until > :last AND u.access_override_until <= :as_of
UNION
SELECT u.user_id
FROM recon.app_users AS u
WHERE u.trial_ends_at > :last AND u.trial_ends_at <= :as_of
UNION
SELECT p.user_id
FROM pg_temp.touched_payments AS p
WHERE p.user_id IS NOT NULL
UNION
SELECT p.user_id
FROM pg_temp.touched_transactions AS k
INNER JOIN recon.app_payments AS p ON k.provider = p.provider AND k.provider_ref = p.provider_ref
WHERE p.user_id IS NOT NULL
UNION
SELECT e.user_id
FROM recon.app_subscription_events AS e
WHERE e.created_at > :since
UNION
SELECT coalesce(p.user_id, w.user_id)
FROM recon.app_webhook_logs AS w
LEFT JOIN recon.app_payments AS p ON w.payment_id = p.payment_id
WHERE w.created_at > :since AND coalesce(p.user_id, w.user_id) IS NOT NULL
UNION
-- Webhooks that name the object alone.
SELECT p.user_id
FROM recon.app_webhook_logs AS w
INNER JOIN recon.app_payments AS p ON w.provider = p.provider AND w.object_ref = p.provider_ref
WHERE w.created_at > :since AND w.payment_id IS NULL AND w.user_id IS NULL AND p.user_id IS NOT NULL;
