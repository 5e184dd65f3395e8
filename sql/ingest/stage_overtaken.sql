-- Which staged objects are not stored although a complete list of their time began after they were read: that list did
-- not have them any more.
-- noqa: disable=all
WITH later AS MATERIALIZED (
    SELECT c.window_from, c.window_to, c.started_at
    FROM recon.coverage AS c
    WHERE
        c.provider = %(provider)s AND c.account = %(account)s AND c.resource = %(resource)s
        AND c.complete AND c.window_from < c.window_to
        AND c.started_at > (SELECT min(n.read_at) FROM pg_temp.snapshot_stage AS n)
)

SELECT s.object_id
FROM pg_temp.snapshot_stage AS s
INNER JOIN later AS l ON s.{created} >= l.window_from AND s.{created} < l.window_to
WHERE
    s.object_id <> ALL(%(gone)s)
    AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE t.account = s.account AND t.object_id = s.object_id)
GROUP BY s.object_id
HAVING max(s.read_at) < max(l.started_at)
ORDER BY s.object_id
LIMIT %(most)s;
