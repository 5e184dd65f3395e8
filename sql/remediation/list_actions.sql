-- Actions for people to look at: those in one state, else those that are not ended; newest first.
SELECT
    a.action_id,
    a.finding_id,
    a.kind,
    a.report,
    a.target,
    a.amount,
    a.currency,
    a.state,
    a.proposed_by,
    a.proposed_at,
    a.reason,
    (
        SELECT count(*) FROM recon.approvals AS p
        WHERE p.action_id = a.action_id AND p.precondition_digest = a.precondition_digest
    ) AS approvals
FROM recon.actions AS a
WHERE
    a.state = cast(:state AS text)
    OR (cast(:state AS text) IS NULL AND a.state IN ('proposed', 'approved', 'applying'))
ORDER BY a.action_id DESC
LIMIT :max_rows;
