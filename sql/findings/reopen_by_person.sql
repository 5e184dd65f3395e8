-- A person opens the next episode of an anomaly whose last one is resolved; nothing where one is live or newer.
INSERT INTO recon.findings (
    report, fingerprint, episode, status, severity, provider, user_ref, payment_ref, amount, currency, action,
    evidence, material, found_evidence, found_severity, coverage_ids, opened_at, last_seen_at, times_seen,
    handled_by, handled_at, handled_reason
)
SELECT
    f.report,
    f.fingerprint,
    f.episode + 1 AS episode,
    'open' AS status,
    f.severity,
    f.provider,
    f.user_ref,
    f.payment_ref,
    f.amount,
    f.currency,
    f.action,
    f.evidence,
    f.material,
    f.evidence AS found_evidence,
    f.severity AS found_severity,
    f.coverage_ids,
    cast(:at AS timestamptz) AS opened_at,
    f.last_seen_at,
    0 AS times_seen,
    cast(:actor AS text) AS handled_by,
    cast(:at AS timestamptz) AS handled_at,
    cast(:reason AS text) AS handled_reason
FROM recon.findings AS f
WHERE
    f.finding_id = :finding_id
    AND f.status = 'resolved'
    AND NOT EXISTS (
        SELECT 1 FROM recon.findings AS n
        WHERE n.report = f.report AND n.fingerprint = f.fingerprint AND n.episode > f.episode
    )
RETURNING *;
