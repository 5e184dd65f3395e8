-- A person resolves a live finding. settled keeps it from opening again while its row stays as it is.
UPDATE recon.findings AS f
SET
    status = 'resolved',
    snoozed_until = NULL,
    resolved_at = :at,
    resolved_how = 'person',
    resolved_by = :actor,
    resolution = :reason,
    settled = f.material,
    handled_by = :actor,
    handled_at = :at,
    handled_reason = :reason
WHERE f.finding_id = :finding_id AND f.status <> 'resolved'
RETURNING f.*;
