-- noqa: disable=all
-- Users that touched objects name, and those of payments that the application deleted; {id} is the type of the
-- application's ids, {form} what their text looks like.
INSERT INTO touched_users (user_id)
SELECT CASE WHEN o.user_ref ~ {form} THEN CAST(o.user_ref AS {id}) END
FROM pg_temp.touched_objects AS o
WHERE o.user_ref ~ {form}
EXCEPT
SELECT k.user_id FROM pg_temp.touched_users AS k;
