-- How many lines of reports' history are older than :before; the newest of each report stays.
SELECT count(*) AS found
FROM recon.report_runs AS r
WHERE
    r.as_of < :before
    AND EXISTS (SELECT 1 FROM recon.report_runs AS l WHERE l.report = r.report AND l.report_run_id > r.report_run_id);
