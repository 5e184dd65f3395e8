-- A person says that a finding may wait.
UPDATE recon.findings
SET
    status = 'snoozed',
    snoozed_until = :until
WHERE finding_id = :finding_id;
