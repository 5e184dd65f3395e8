-- Writes the rows that are left where none of the objects was stored before.
-- noqa: disable=all
INSERT INTO {table} ({columns})
SELECT {columns}
FROM pg_temp.snapshot_stage;
