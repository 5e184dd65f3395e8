-- A person acknowledges or snoozes a live finding.
UPDATE recon.findings AS f
SET
    status = :status,
    snoozed_until = :until,
    handled_by = :actor,
    handled_at = :at,
    handled_reason = :reason
WHERE f.finding_id = :finding_id AND f.status <> 'resolved'
RETURNING f.*;
