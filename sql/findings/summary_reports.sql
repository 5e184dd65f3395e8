-- How many findings of each report are live?
SELECT
    f.report,
    count(*) AS findings
FROM recon.findings AS f
WHERE f.status <> 'resolved'
GROUP BY f.report
ORDER BY count(*) DESC, f.report;
