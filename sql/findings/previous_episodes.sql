-- The episode before each of these findings.
SELECT
    f.finding_id,
    p.finding_id AS previous_id
FROM recon.findings AS f
INNER JOIN recon.findings AS p ON f.report = p.report AND f.fingerprint = p.fingerprint AND f.episode = p.episode + 1
WHERE f.finding_id = any(:findings);
