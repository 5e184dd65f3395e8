-- How many findings opened since then, by the severity they have now?
SELECT
    f.severity,
    count(*) AS findings
FROM recon.findings AS f
WHERE f.opened_at > :since AND f.opened_at <= :as_of
GROUP BY f.severity
ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity);
