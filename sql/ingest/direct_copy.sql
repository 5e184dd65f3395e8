-- Takes objects that were never stored into their table.
-- noqa: disable=all
COPY {table} ({columns}) FROM STDIN (FORMAT binary);
