-- One action, locked: of two workers the second waits, and then sees what the first did.
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
    a.proposed_at,
    a.reason,
    a.report,
    a.amount,
    a.currency,
    a.expires_at,
    a.attempts,
    a.intent,
    a.result,
    a.leased_by,
    coalesce(a.leased_until, '-infinity') > clock_timestamp() AS is_leased
FROM recon.actions AS a
WHERE a.action_id = :action_id
FOR UPDATE;
