-- What is known of a resource of an account besides its newest certificate: what complete lists cover at all, what the
-- last sweep that could count found missed by the feed, how far the incremental way has come, what can't be read.
WITH covered AS (
    SELECT
        min(c.window_from) AS covered_from,
        max(least(c.window_to, date_trunc('second', c.started_at))) AS covered_to
    FROM recon.coverage AS c
    WHERE
        c.provider = :provider AND c.account = :account AND c.resource = :resource
        AND c.complete AND c.mode IN ('backfill', 'incremental', 'sweep')
        AND c.window_from < least(c.window_to, date_trunc('second', c.started_at))
),

swept AS (
    SELECT
        n.missed_by_feed,
        n.finished_at AS swept_at
    FROM recon.coverage AS n
    WHERE
        n.provider = :provider AND n.account = :account AND n.resource = :resource
        AND n.mode = 'sweep' AND n.complete
    ORDER BY n.coverage_id DESC
    LIMIT 1
),

unreadable AS (
    SELECT count(*) AS rejected
    FROM recon.rejected_objects AS r
    WHERE
        r.provider = :provider AND r.account = :account AND r.resource = :resource
        AND r.object_id NOT LIKE :nameless
)

SELECT
    c.covered_from,
    c.covered_to,
    w.listed_to,
    w.told_to,
    w.moved_at,
    s.missed_by_feed,
    s.swept_at,
    u.rejected
FROM covered AS c
CROSS JOIN unreadable AS u
LEFT JOIN swept AS s ON TRUE
LEFT JOIN recon.watermarks AS w
    ON w.provider = :provider AND w.account = :account AND w.resource = :resource;
