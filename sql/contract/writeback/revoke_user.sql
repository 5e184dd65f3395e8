-- Takes a user's access away; what was bought and when stays on record. Changes exactly one row.
-- Parameters: user_id (text), at (timestamptz, now).
UPDATE public.users
SET
    subscription_status = 'inactive',
    subscription_updated_at = cast(:at AS timestamptz),
    updated_at = cast(:at AS timestamptz)
WHERE id = cast(:user_id AS bigint);
