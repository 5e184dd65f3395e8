-- Ends a membership; what was paid stays on record. Changes exactly one row.
-- Parameters: user_id (text), at (timestamptz).
UPDATE studio.memberships
SET is_live = FALSE, touched = cast(:at AS timestamptz)
WHERE member_uuid = cast(:user_id AS uuid);
