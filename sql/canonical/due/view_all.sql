-- All objects of a raw table are due.
-- noqa: disable=all
CREATE TEMPORARY VIEW {view} AS SELECT r.* FROM {table} AS r;
