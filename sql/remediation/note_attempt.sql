-- What came of a call that did not end the action: what to ask next, why, and from when somebody may go on.
UPDATE recon.actions
SET
    intent = cast(:intent AS jsonb),
    result = cast(:result AS jsonb),
    attempts = attempts - :unasked,
    leased_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE action_id = :action_id;
