-- As stage_copy.sql, of rows that are lines of CSV.
-- noqa: disable=all
COPY pg_temp.snapshot_stage ({columns}) FROM STDIN (FORMAT csv, NULL 'null');
