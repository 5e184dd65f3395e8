-- The types of the private table's columns, for COPY.
-- noqa: disable=all
SELECT {columns} FROM pg_temp.snapshot_stage LIMIT 0;
