-- How far has the incremental way come with this resource; and where may it begin, from what other fetches certified?
SELECT
    w.listed_to,
    w.told_to,
    c.covered_to,
    c.first_read_at
FROM (
    SELECT
        max(least(c.window_to, date_trunc('second', c.started_at))) AS covered_to,
        min(c.started_at) AS first_read_at
    FROM recon.coverage AS c
    WHERE
        c.provider = :provider AND c.account = :account AND c.resource = :resource
        AND c.complete AND c.mode IN ('backfill', 'incremental', 'sweep')
) AS c
LEFT JOIN recon.watermarks AS w
    ON w.provider = :provider AND w.account = :account AND w.resource = :resource;
