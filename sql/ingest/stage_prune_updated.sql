-- Newest wins, by the provider's own updated_at, then by the time of the read: drop what is stored unchanged or newer.
-- noqa: disable=all
DELETE FROM pg_temp.snapshot_stage AS s
USING {table} AS t
WHERE
    t.account = s.account AND t.object_id = s.object_id
    AND (
        (t.digest = s.digest AND t.vanished_at IS NULL)
        OR t.updated_at > s.updated_at
        OR (t.updated_at IS NOT DISTINCT FROM s.updated_at AND t.read_at > s.read_at)
        OR ((t.updated_at IS NULL) <> (s.updated_at IS NULL) AND t.read_at > s.read_at)
    );
