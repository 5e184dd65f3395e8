-- app_payments by user_id: what a user should have follows from the user's payments.
SELECT 1 AS found
FROM recon.app_payments AS p
WHERE p.user_id = (SELECT max(u.user_id) FROM recon.app_users AS u WHERE FALSE);
