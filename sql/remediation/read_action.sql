-- One action, as it is.
SELECT
    a.action_id,
    a.finding_id,
    a.kind,
    a.target,
    a.precondition,
    a.precondition_digest,
    a.effects,
    a.state,
    a.proposed_by,
    a.reason
FROM recon.actions AS a
WHERE a.action_id = :action_id;
