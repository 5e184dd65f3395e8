-- app_users by lower(email) and lower(username): people on duty name users so.
SELECT 1 AS found FROM recon.app_users AS u WHERE lower(u.email) = 'kim@example.com' OR lower(u.username) = 'kim';
