-- Which stored objects of a window a complete list did not bring; others each time, where they are too many to ask for.
-- noqa: disable=all
SELECT t.object_id
FROM {table} AS t
WHERE
    t.account = %(account)s AND t.{created} >= %(start)s AND t.{created} < %(end)s AND t.vanished_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM pg_temp.snapshot_stage AS s WHERE s.object_id = t.object_id)
    AND NOT EXISTS (SELECT 1 FROM unnest(%(seen)s::bigint[]) AS d (digest) WHERE d.digest = t.digest)
    AND t.object_id <> ALL(%(heard_of)s)
ORDER BY random()
LIMIT %(most)s;
