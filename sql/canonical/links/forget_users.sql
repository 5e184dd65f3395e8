-- Forgets users that the application no longer has.
DELETE FROM recon.link_users AS k
USING pg_temp.changed_users AS c
WHERE k.user_ref = c.user_ref AND c.is_gone;
