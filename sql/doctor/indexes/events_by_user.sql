-- app_subscription_events by user_id: whether access was ended on purpose.
SELECT 1 AS found
FROM recon.app_subscription_events AS e
WHERE e.user_id = (SELECT max(u.user_id) FROM recon.app_users AS u WHERE FALSE);
