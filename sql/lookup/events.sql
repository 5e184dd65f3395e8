-- What happened to the subscription: of this user, or because of these payments.
SELECT
    e.event_type,
    e.old_status,
    e.new_status,
    e.old_tier,
    e.new_tier,
    cast(e.payment_id AS text) AS payment_id,
    e.reason,
    e.actor,
    e.created_at
FROM recon.app_users AS u
INNER JOIN recon.app_subscription_events AS e ON u.user_id = e.user_id
WHERE
    cast(u.user_id AS text) = :user_ref
    AND (cast(:only_payment AS text) IS NULL OR cast(e.payment_id AS text) = :only_payment)
ORDER BY e.created_at, e.event_id;
