-- The audit rows of one action.
SELECT
    l.audit_id,
    l.at,
    l.actor,
    l.event,
    l.reason,
    l.details
FROM recon.audit_log AS l
WHERE l.action_id = :action_id
ORDER BY l.audit_id;
