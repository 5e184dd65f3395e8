-- Locks the member, whose membership may not exist yet. Parameter: user_id (text).
SELECT m.member_uuid AS user_id
FROM studio.members AS m
WHERE m.member_uuid = cast(:user_id AS uuid)
FOR UPDATE;
