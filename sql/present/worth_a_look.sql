-- A finding to begin with: open, grave, about a user.
SELECT
    f.finding_id,
    f.user_ref
FROM recon.findings AS f
WHERE f.status <> 'resolved' AND f.user_ref IS NOT NULL
ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity), f.finding_id
LIMIT 1;
