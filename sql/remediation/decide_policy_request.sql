-- What a second person decided about a change of policy.
UPDATE recon.policy_requests
SET state = :state, decided_by = :actor, decided_at = :at
WHERE policy_request_id = :request_id;
