-- app_users by has_access (the expression of the view): payers without access are among those without.
SELECT 1 AS found FROM recon.app_users AS u WHERE NOT coalesce(u.has_access, FALSE);
