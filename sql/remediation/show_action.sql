-- One action with all that is kept of it.
SELECT
    a.action_id,
    a.finding_id,
    a.kind,
    a.report,
    a.target,
    a.precondition,
    a.effects,
    a.amount,
    a.currency,
    a.state,
    a.proposed_by,
    a.proposed_at,
    a.expires_at,
    a.reason,
    a.attempts,
    a.intent,
    a.intended_at,
    a.leased_until,
    a.result,
    a.finished_at
FROM recon.actions AS a
WHERE a.action_id = :action_id;
