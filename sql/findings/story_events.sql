-- What people and repairs did about a finding, oldest first.
SELECT
    a.audit_id,
    a.at,
    a.actor,
    a.event,
    a.action_id,
    a.reason,
    a.details
FROM recon.audit_log AS a
WHERE a.finding_id = :finding_id
ORDER BY a.audit_id;
