-- How many verified repairs have a finding that is not over?
SELECT count(*) AS repairs
FROM recon.actions AS a
INNER JOIN recon.findings AS f ON a.finding_id = f.finding_id
WHERE a.state = 'verified' AND f.status <> 'resolved';
