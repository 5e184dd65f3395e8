-- Writes the rows that are left, new and newer ones; an object that came back is no longer vanished.
-- noqa: disable=all
INSERT INTO {table} ({columns})
SELECT {columns}
FROM pg_temp.snapshot_stage
ON CONFLICT (account, object_id) DO UPDATE SET ({columns}) = ROW({excluded});
