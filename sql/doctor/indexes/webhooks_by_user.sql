-- app_webhook_logs by user_id: what the inbox holds of a user.
SELECT 1 AS found FROM recon.app_webhook_logs AS w
WHERE w.user_id = (SELECT max(u.user_id) FROM recon.app_users AS u WHERE FALSE);
