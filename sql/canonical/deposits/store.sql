-- Verdicts that are new or different.
INSERT INTO recon.deposit_matches AS m (
    provider, account, provider_ref, state, payment_ref, method, amount_share, deviation, outcome, came_late, reason,
    candidates, evidence, digest, decided_at
)
SELECT
    j.provider,
    j.account,
    j.provider_ref,
    j.state,
    j.payment_ref,
    j.method,
    j.amount_share,
    j.deviation,
    j.outcome,
    j.came_late,
    j.reason,
    j.candidates,
    j.evidence,
    j.digest,
    cast(:as_of AS timestamptz) AS decided_at
FROM judged AS j
LEFT JOIN recon.deposit_matches AS s
    ON j.provider = s.provider AND j.account = s.account AND j.provider_ref = s.provider_ref
WHERE
    s.provider_ref IS NULL
    OR (
        j.state, j.payment_ref, j.method, j.amount_share, j.deviation, j.outcome, j.came_late, j.reason, j.candidates,
        j.evidence, j.digest
    ) IS DISTINCT FROM (
        s.state, s.payment_ref, s.method, s.amount_share, s.deviation, s.outcome, s.came_late, s.reason, s.candidates,
        s.evidence, s.digest
    )
ON CONFLICT (provider, account, provider_ref) DO UPDATE SET
    state = excluded.state,
    payment_ref = excluded.payment_ref,
    method = excluded.method,
    amount_share = excluded.amount_share,
    deviation = excluded.deviation,
    outcome = excluded.outcome,
    came_late = excluded.came_late,
    reason = excluded.reason,
    candidates = excluded.candidates,
    evidence = excluded.evidence,
    digest = excluded.digest,
    decided_at = excluded.decided_at;
