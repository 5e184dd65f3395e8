-- Adds one link to the chain.
INSERT INTO recon.audit_log (
    audit_id, at, actor, event, action_id, finding_id, user_ref, payment_ref, reason, before, after, details,
    previous_hash, hash
)
VALUES (
    :audit_id,
    :at,
    :actor,
    :event,
    :action_id,
    :finding_id,
    :user_ref,
    :payment_ref,
    :reason,
    cast(:before AS jsonb),
    cast(:after AS jsonb),
    cast(:details AS jsonb),
    :previous_hash,
    :hash
);
