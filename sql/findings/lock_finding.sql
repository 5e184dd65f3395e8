-- One finding, locked until the transaction ends.
SELECT f.finding_id
FROM recon.findings AS f
WHERE f.finding_id = :finding_id
FOR UPDATE;
