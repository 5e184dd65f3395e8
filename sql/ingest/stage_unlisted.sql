-- Which stored objects of a window does the stage hold no newer state of: how many, and their digests mixed, to be
-- compared with what a complete list confirmed.
-- noqa: disable=all
SELECT count(*), coalesce(bit_xor(t.digest), 0)
FROM {table} AS t
WHERE
    t.account = %(account)s AND t.{created} >= %(start)s AND t.{created} < %(end)s AND t.vanished_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM pg_temp.snapshot_stage AS s WHERE s.object_id = t.object_id);
