-- Whose finding is it?
SELECT f.report FROM recon.findings AS f
WHERE f.finding_id = :finding_id;
