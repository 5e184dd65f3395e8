-- How many findings were resolved since then, and how?
SELECT
    CASE f.resolved_how
        WHEN 'action' THEN 'by a repair'
        WHEN 'person' THEN 'by a person'
        ELSE 'by themselves'
    END AS how,
    count(*) AS findings
FROM recon.findings AS f
WHERE f.status = 'resolved' AND f.resolved_at > :since AND f.resolved_at <= :as_of
GROUP BY how
ORDER BY how;
