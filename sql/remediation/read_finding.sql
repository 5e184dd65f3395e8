-- One finding, as people decide on it.
SELECT
    f.report,
    f.status,
    f.episode,
    f.snoozed_until
FROM recon.findings AS f
WHERE f.finding_id = :finding_id;
