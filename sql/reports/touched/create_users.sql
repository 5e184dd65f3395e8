-- Users to be judged anew: who changed, whose exception, trial or paid time ends, whose payments or their objects are
-- touched, and about whom there is news in the log of subscriptions or in the webhook inbox.
CREATE TEMPORARY TABLE touched_users ON COMMIT DROP AS
WITH nameless AS (
    -- Webhooks that name the object alone.
    SELECT
        w.provider,
        w.object_ref
    FROM recon.app_webhook_logs AS w
    WHERE w.created_at > :since AND w.payment_id IS NULL AND w.user_id IS NULL AND w.object_ref IS NOT NULL
),

meant AS (
    -- What is said of a checkout or a charge is said of its payment.
    SELECT
        n.provider,
        n.object_ref AS provider_ref
    FROM nameless AS n
    UNION
    SELECT
        n.provider,
        s.payment_intent_id AS provider_ref
    FROM nameless AS n
    INNER JOIN recon.stripe_checkout_sessions AS s ON n.object_ref = s.object_id
    WHERE n.provider = 'stripe' AND substring(n.object_ref, 1, 3) = 'cs_'
    UNION
    SELECT
        n.provider,
        i.object_id AS provider_ref
    FROM nameless AS n
    INNER JOIN recon.stripe_payment_intents AS i ON n.object_ref = i.charge_id
    WHERE n.provider = 'stripe' AND substring(n.object_ref, 1, 3) IN ('ch_', 'py_')
)

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
SELECT u.user_id
FROM recon.app_users AS u
WHERE
    coalesce(u.subscription_renewal_date, u.payment_due_date) > :last
    AND coalesce(u.subscription_renewal_date, u.payment_due_date) <= :as_of
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
-- By the application's reference.
SELECT p.user_id
FROM meant AS m
INNER JOIN recon.app_payments AS p ON m.provider = p.provider AND m.provider_ref = p.provider_ref
WHERE p.user_id IS NOT NULL
UNION
-- By the provider's object, where the application keeps another reference or none.
SELECT p.user_id
FROM meant AS m
INNER JOIN LATERAL (
    SELECT o.payment_id
    FROM recon.payment_objects AS o
    WHERE o.provider = m.provider AND o.provider_ref = m.provider_ref
    ORDER BY o.way
    LIMIT 100
) AS x ON TRUE
INNER JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
WHERE p.user_id IS NOT NULL
UNION
-- Of payments that name no user.
SELECT u.user_id
FROM meant AS m
INNER JOIN recon.provider_transactions AS t ON m.provider = t.provider AND m.provider_ref = t.provider_ref
INNER JOIN recon.app_users AS u ON t.user_ref = cast(u.user_id AS text);
