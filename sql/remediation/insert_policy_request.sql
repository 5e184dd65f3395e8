-- Keeps a change of policy until a second person decides.
INSERT INTO recon.policy_requests (
    action, report, changes, before, after, loosens, asked_by, asked_at, expires_at
)
VALUES (
    :action,
    :report,
    cast(:changes AS jsonb),
    cast(:before AS jsonb),
    cast(:after AS jsonb),
    :loosens,
    :actor,
    :at,
    :expires_at
)
RETURNING policy_request_id;
