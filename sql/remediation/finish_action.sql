-- How an action ended. What was done without a stored intent counts from now against the caps.
UPDATE recon.actions
SET
    state = :state,
    reason = coalesce(:reason, reason),
    result = cast(:result AS jsonb),
    attempts = attempts + CASE WHEN intent IS NULL THEN 1 ELSE 0 END,
    intended_at = coalesce(intended_at, CASE WHEN cast(:state AS text) = 'verified' THEN cast(:at AS timestamptz) END),
    leased_until = NULL,
    leased_by = NULL,
    finished_at = :at
WHERE action_id = :action_id;
