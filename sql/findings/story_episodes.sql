-- All episodes of the anomaly that a finding is an episode of.
SELECT
    e.finding_id,
    e.episode,
    e.status,
    e.severity,
    e.opened_at,
    e.last_seen_at,
    e.times_seen,
    e.resolved_at,
    e.resolved_how,
    e.resolved_by,
    e.resolution
FROM recon.findings AS f
INNER JOIN recon.findings AS e ON f.report = e.report AND f.fingerprint = e.fingerprint
WHERE f.finding_id = :finding_id
ORDER BY e.episode;
