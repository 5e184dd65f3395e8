-- What did the last runs of a report find, oldest first?
SELECT
    newest.as_of,
    newest.row_count,
    newest.by_severity
FROM (
    SELECT
        r.report_run_id,
        r.as_of,
        r.rows AS row_count,
        r.by_severity
    FROM recon.report_runs AS r
    WHERE r.report = :report
    ORDER BY r.report_run_id DESC
    LIMIT :max_runs
) AS newest
ORDER BY newest.report_run_id;
