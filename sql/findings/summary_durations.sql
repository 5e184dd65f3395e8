-- How long did reading each provider take, and each report, last?
SELECT
    d.what,
    concat(cast(round(cast(d.seconds AS numeric), 1) AS text), ' s') AS duration
FROM (
    SELECT
        concat('reading ', c.provider) AS what,
        sum(extract(EPOCH FROM c.finished_at - c.started_at)) AS seconds
    FROM recon.coverage AS c
    WHERE
        c.as_of > :since AND c.as_of <= :as_of AND c.run_id IN (
            SELECT l.run_id FROM recon.coverage AS l
            WHERE l.provider = c.provider AND l.as_of <= :as_of
            ORDER BY l.coverage_id DESC
            LIMIT 1
        )
    GROUP BY c.provider
    UNION ALL
    SELECT
        concat('report ', r.report) AS what,
        r.seconds
    FROM (
        SELECT DISTINCT ON (x.report)
            x.report,
            x.seconds
        FROM recon.report_runs AS x
        WHERE x.as_of > :since AND x.as_of <= :as_of
        ORDER BY x.report ASC, x.report_run_id DESC
    ) AS r
) AS d
ORDER BY d.what;
