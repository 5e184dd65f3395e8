-- Live findings, the gravest and oldest first.
SELECT
    f.finding_id,
    f.report,
    f.fingerprint,
    f.episode,
    f.status,
    f.severity,
    f.provider,
    f.user_ref,
    f.payment_ref,
    f.amount,
    f.currency,
    f.action,
    f.evidence,
    f.opened_at,
    f.last_seen_at,
    f.times_seen
FROM recon.findings AS f
WHERE
    f.status <> 'resolved'
    AND (cast(:report AS text) IS NULL OR f.report = :report)
    AND (cast(:severity AS text) IS NULL OR f.severity = :severity)
    AND (cast(:user AS text) IS NULL OR f.user_ref = :user)
ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity), f.opened_at, f.finding_id
LIMIT :most;
