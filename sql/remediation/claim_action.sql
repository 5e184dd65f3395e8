-- Stores what will be asked of the provider, before it is asked, and whose turn it is.
UPDATE recon.actions
SET
    state = 'applying',
    intent = cast(:intent AS jsonb),
    intended_at = coalesce(intended_at, :at),
    attempts = attempts + 1,
    leased_by = :token,
    leased_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE action_id = :action_id;
