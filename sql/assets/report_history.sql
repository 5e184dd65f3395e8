-- How many rows did the last runs of a report have, oldest first?
SELECT newest.row_count
FROM (
    SELECT
        r.report_run_id,
        r.rows AS row_count
    FROM recon.report_runs AS r
    WHERE r.report = :report
    ORDER BY r.report_run_id DESC
    LIMIT :max_runs
) AS newest
ORDER BY newest.report_run_id;
