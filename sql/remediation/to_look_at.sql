-- Verified actions, each with both sides as they were read last: of those named, or those not looked at since.
SELECT
    a.action_id,
    a.kind,
    a.target,
    a.finding_id,
    l.after AS facts
FROM recon.actions AS a
INNER JOIN recon.audit_log AS l ON a.action_id = l.action_id AND l.event = 'action.verified'
WHERE a.state = 'verified' AND a.action_id = any(cast(:actions AS bigint[]))
ORDER BY a.action_id;
