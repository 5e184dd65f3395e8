-- Newest wins, by the provider's own updated_at, then by the time of the read: drops what is stored unchanged, and what
-- is older than the stored state, which counts from when it was last read or confirmed. Answers what the dropped
-- readings confirmed, and how many of the objects are stored.
-- noqa: disable=all
WITH later AS (
    SELECT c.*
    FROM recon.confirmations AS c
    WHERE
        c.provider = %(provider)s AND c.account = %(account)s AND c.resource = %(resource)s
        AND c.newest_read_at > (SELECT min(n.read_at) FROM pg_temp.snapshot_stage AS n)
),

pages AS MATERIALIZED (
    SELECT p.*, l.rejected
    FROM later AS l
    CROSS JOIN LATERAL unnest(l.page_read_at, l.created_from, l.created_to) AS p (read_at, created_from, created_to)
),

objects AS MATERIALIZED (
    SELECT o.object_id, max(o.read_at) AS read_at
    FROM later AS l
    CROSS JOIN LATERAL unnest(l.object_ids, l.object_read_at) AS o (object_id, read_at)
    GROUP BY o.object_id
),

standing AS (
    SELECT
        t.account,
        t.object_id,
        t.vanished_at,
        t.updated_at,
        CASE WHEN t.vanished_at IS NULL THEN t.digest END AS digest,
        greatest(
            t.read_at,
            t.vanished_at,
            o.read_at,
            (SELECT max(p.read_at) FROM pages AS p WHERE
                t.{created} BETWEEN p.created_from AND p.created_to AND t.object_id <> ALL(p.rejected))
        ) AS read_at
    FROM pg_temp.snapshot_stage AS n
    INNER JOIN {table} AS t ON t.account = n.account AND t.object_id = n.object_id
    LEFT JOIN objects AS o ON o.object_id = t.object_id
),

dropped AS (
    DELETE FROM pg_temp.snapshot_stage AS s
    USING standing AS t
    WHERE
        t.account = s.account AND t.object_id = s.object_id
        AND (
            t.digest = s.digest
            OR (t.updated_at > s.updated_at AND t.vanished_at IS NULL)
            OR (t.read_at > s.read_at AND (t.updated_at < s.updated_at) IS NOT TRUE)
            OR t.vanished_at > s.read_at
        )
    RETURNING s.object_id, s.read_at, t.digest = s.digest AND t.read_at < s.read_at AS confirmed
)

SELECT
    coalesce(array_agg(d.object_id) FILTER (WHERE d.confirmed), '{{}}') AS object_ids,
    coalesce(array_agg(d.read_at) FILTER (WHERE d.confirmed), '{{}}') AS object_read_at,
    (SELECT count(*) FROM standing) AS stored_before
FROM dropped AS d;
