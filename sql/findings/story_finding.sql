-- One finding with all its columns.
SELECT
    f.*,
    coalesce(f.thread_id, f.finding_id) AS thread
FROM recon.findings AS f
WHERE f.finding_id = :finding_id;
