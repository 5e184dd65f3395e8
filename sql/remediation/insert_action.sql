-- A new proposal, unless the finding has a live one of this kind.
INSERT INTO recon.actions (
    finding_id, kind, target, precondition, precondition_digest, effects, state, proposed_by, proposed_at, reason,
    report, amount, currency, expires_at
)
VALUES (
    :finding_id,
    :kind,
    cast(:target AS jsonb),
    cast(:precondition AS jsonb),
    :digest,
    cast(:effects AS jsonb),
    'proposed',
    :actor,
    :at,
    :reason,
    :report,
    :amount,
    :currency,
    :expires_at
)
ON CONFLICT (finding_id, kind) WHERE state IN ('proposed', 'approved', 'applying') DO NOTHING
RETURNING action_id;
