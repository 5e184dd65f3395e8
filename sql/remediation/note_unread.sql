-- Nothing was begun, because the other side could not be read: how often, and why.
UPDATE recon.actions
SET result = cast(:result AS jsonb)
WHERE action_id = :action_id;
