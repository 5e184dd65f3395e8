-- One finding, kept as it is until the transaction ends: nobody resolves it while its repair is begun.
SELECT
    f.status,
    f.resolved_how
FROM recon.findings AS f
WHERE f.finding_id = :finding_id
FOR SHARE;
