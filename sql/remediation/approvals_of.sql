-- Who approved what this action was planned on.
SELECT
    p.approver,
    p.approved_at,
    p.note
FROM recon.approvals AS p
INNER JOIN recon.actions AS a ON p.action_id = a.action_id AND p.precondition_digest = a.precondition_digest
WHERE p.action_id = :action_id
ORDER BY p.approved_at, p.approver;
