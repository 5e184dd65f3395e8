-- How many findings there are, by status.
SELECT
    f.status,
    count(*) AS findings
FROM recon.findings AS f
GROUP BY f.status
ORDER BY f.status;
