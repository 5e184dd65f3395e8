-- Open findings of these reports that name a repair.
SELECT f.finding_id
FROM recon.findings AS f
WHERE f.status = 'open' AND f.action IS NOT NULL AND f.report = any(cast(:reports AS text[]))
ORDER BY f.finding_id;
