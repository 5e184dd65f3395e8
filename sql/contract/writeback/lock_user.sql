-- Locks the user's row until the transaction ends, so that neither a webhook nor another repair changes it meanwhile.
-- Parameter: user_id (text, as cast(app_users.user_id AS text) gives it). Answers one row if there is such a user.
SELECT u.id AS user_id
FROM public.users AS u
WHERE u.id = :user_id
FOR UPDATE;
