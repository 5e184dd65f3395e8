-- Takes a batch of objects into the private table.
-- noqa: disable=all
COPY pg_temp.snapshot_stage ({columns}) FROM STDIN (FORMAT binary);
