-- Live findings by report and severity, and since when the oldest is open.
SELECT
    f.report,
    f.severity,
    count(*) AS findings,
    min(f.opened_at) AS oldest
FROM recon.findings AS f
WHERE f.status <> 'resolved'
GROUP BY f.report, f.severity
ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity), f.report;
