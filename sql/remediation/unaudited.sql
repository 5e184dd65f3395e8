-- Actions that count as done and left no trace of it: their row was cut off, or they were never made by us.
SELECT a.action_id
FROM recon.actions AS a
WHERE
    a.state = 'verified'
    AND NOT EXISTS (
        SELECT 1 FROM recon.audit_log AS l
        WHERE l.action_id = a.action_id AND l.event = 'action.verified'
    )
ORDER BY a.action_id
LIMIT 20;
