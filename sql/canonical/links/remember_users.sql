-- Remembers what the application now says of users.
INSERT INTO recon.link_users (user_ref, customer_ref)
SELECT
    c.user_ref,
    c.customer_ref
FROM pg_temp.changed_users AS c
WHERE NOT c.is_gone
-- In the order of the primary key: a third faster where there are many.
ORDER BY c.user_ref
ON CONFLICT (user_ref) DO UPDATE SET
    customer_ref = excluded.customer_ref;
