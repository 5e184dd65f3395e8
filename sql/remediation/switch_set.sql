-- Stops all repairs, or lets them go on.
UPDATE recon.repair_switch
SET
    stopped = :stopped,
    reason = :reason,
    changed_at = :at,
    changed_by = :actor;
