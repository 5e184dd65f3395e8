-- How many judgements wait until a provider was read in full: rows that would open or refresh a finding, and
-- findings that may be over.
SELECT
    (SELECT count(*) FROM report_rows AS r WHERE r.withheld)
    + (
        SELECT count(*) FROM recon.findings AS f
        WHERE
            f.report = :report
            AND f.status <> 'resolved'
            AND NOT EXISTS (SELECT 1 FROM report_rows AS r WHERE r.fingerprint = f.fingerprint)
    ) AS withheld;
