-- How many rows were staged, for the planner; a small sample, because bodies are long.
-- noqa: disable=all
SET LOCAL default_statistics_target = 10;
ANALYZE pg_temp.snapshot_stage (object_id);
