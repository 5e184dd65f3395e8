-- Rows without a live finding open one: the first episode, or the next after one that was resolved.
INSERT INTO recon.findings (
    report, fingerprint, episode, status, severity, provider, user_ref, payment_ref, amount, currency, action,
    evidence, opened_at, last_seen_at, times_seen
)
SELECT
    cast(:report AS text) AS report,
    r.fingerprint,
    1 + coalesce(
        (SELECT max(e.episode) FROM recon.findings AS e WHERE e.report = :report AND e.fingerprint = r.fingerprint), 0
    ) AS episode,
    'open' AS status,
    r.severity,
    r.provider,
    r.user_ref,
    r.payment_ref,
    r.amount,
    r.currency,
    cast(:action AS text) AS action,
    r.evidence,
    cast(:as_of AS timestamptz) AS opened_at,
    cast(:as_of AS timestamptz) AS last_seen_at,
    1 AS times_seen
FROM report_rows AS r
LEFT JOIN recon.findings AS f
    ON r.fingerprint = f.fingerprint AND f.report = :report AND f.status <> 'resolved'
WHERE f.finding_id IS NULL AND NOT r.withheld
ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], r.severity), r.fingerprint
RETURNING finding_id, episode;
