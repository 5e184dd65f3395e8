-- A person says that a finding is over.
UPDATE recon.findings
SET
    status = 'resolved',
    resolved_at = :at,
    resolved_by = :actor,
    resolution = :reason
WHERE finding_id = :finding_id;
