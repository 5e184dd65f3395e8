-- How many rows did the newest run of a report have?
SELECT r.rows AS row_count
FROM recon.report_runs AS r
WHERE r.report = :report
ORDER BY r.report_run_id DESC
LIMIT 1;
