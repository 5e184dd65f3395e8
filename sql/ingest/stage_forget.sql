-- Takes objects out of the stage again.
-- noqa: disable=all
DELETE FROM pg_temp.snapshot_stage
WHERE object_id = ANY(%(ids)s);
