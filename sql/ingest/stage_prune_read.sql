-- Newest wins, by the time of the read: drop what is stored unchanged, or was stored from a later read.
-- noqa: disable=all
DELETE FROM pg_temp.snapshot_stage AS s
USING {table} AS t
WHERE
    t.account = s.account AND t.object_id = s.object_id
    AND ((t.digest = s.digest AND t.vanished_at IS NULL) OR t.read_at > s.read_at);
