-- As of when each report's table is, where that can be built upon.
SELECT
    k.report,
    k.as_of,
    cast(k.changed_from AS text) AS changed_from,
    k.rules
FROM recon.report_marks AS k
WHERE k.cluster = :cluster AND to_regclass('reports.' || k.report) IS NOT NULL;
