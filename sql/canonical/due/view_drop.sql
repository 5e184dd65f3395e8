-- The refresh is over.
-- noqa: disable=all
DROP VIEW pg_temp.{view};
