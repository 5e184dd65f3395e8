-- Which of these episodes are HIGH or CRITICAL, and graver than the one before?
SELECT f.finding_id
FROM recon.findings AS f
INNER JOIN recon.findings AS p ON f.report = p.report AND f.fingerprint = p.fingerprint AND f.episode = p.episode + 1
WHERE
    f.finding_id = any(:findings)
    AND f.severity IN ('CRITICAL', 'HIGH')
    AND array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity)
    < array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], p.severity);
