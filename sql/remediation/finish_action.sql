-- How an action ended.
UPDATE recon.actions
SET
    state = :state,
    reason = coalesce(:reason, reason),
    result = cast(:result AS jsonb),
    attempts = attempts + 1,
    leased_until = NULL,
    finished_at = :at
WHERE action_id = :action_id;
