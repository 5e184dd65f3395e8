-- A change of policy that was asked for, locked until the transaction ends.
SELECT
    r.policy_request_id,
    r.action,
    r.report,
    r.changes,
    r.before,
    r.loosens,
    r.asked_by,
    r.expires_at,
    r.state
FROM recon.policy_requests AS r
WHERE r.policy_request_id = :request_id
FOR UPDATE;
