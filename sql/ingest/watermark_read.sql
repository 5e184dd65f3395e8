-- How far has the incremental way come with this resource; and where may it begin, from what other fetches certified?
WITH certified AS (
    SELECT min(c.started_at) AS first_read_at
    FROM recon.coverage AS c
    WHERE
        c.provider = :provider AND c.account = :account AND c.resource = :resource
        AND c.complete AND c.mode IN ('backfill', 'incremental', 'sweep')
),

stretches AS (
    SELECT array_agg(s.covered_to ORDER BY s.covered_to) AS covered_to
    FROM recon.covered_windows AS s
    WHERE s.provider = :provider AND s.account = :account AND s.resource = :resource
)

SELECT
    w.listed_to,
    w.told_to,
    coalesce(v.covered_to, '{}') AS covered_to,
    c.first_read_at
FROM certified AS c
CROSS JOIN stretches AS v
LEFT JOIN recon.watermarks AS w
    ON w.provider = :provider AND w.account = :account AND w.resource = :resource;
