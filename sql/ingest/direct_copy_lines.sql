-- As direct_copy.sql, of rows that are lines of CSV.
-- noqa: disable=all
COPY {table} ({columns}) FROM STDIN (FORMAT csv, NULL 'null');
