-- Changes of policy that wait for a second person.
SELECT
    r.policy_request_id,
    r.action,
    r.report,
    r.loosens,
    r.asked_by,
    r.asked_at,
    r.expires_at
FROM recon.policy_requests AS r
WHERE r.state = 'waiting' AND r.expires_at > :at
ORDER BY r.policy_request_id;
