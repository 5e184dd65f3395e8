-- Types of the application's ids of payments and users.
SELECT
    max(format_type(a.atttypid, a.atttypmod)) FILTER (WHERE a.attname = 'payment_id') AS payment,
    max(format_type(a.atttypid, a.atttypmod)) FILTER (WHERE a.attname = 'user_id') AS app_user
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass('recon.app_payments');
