-- noqa: disable=all
-- Users of payments that the application deleted; {id} is the type of the application's ids.
INSERT INTO touched_users (user_id)
SELECT CAST(o.user_ref AS {id}) FROM pg_temp.touched_objects AS o WHERE o.user_ref IS NOT NULL
EXCEPT
SELECT k.user_id FROM pg_temp.touched_users AS k;
