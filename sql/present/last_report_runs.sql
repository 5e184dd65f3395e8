-- What did the last run of each report find?
SELECT DISTINCT ON (r.report)
    r.report,
    r.rows AS row_count,
    r.as_of
FROM recon.report_runs AS r
ORDER BY r.report ASC, r.report_run_id DESC;
