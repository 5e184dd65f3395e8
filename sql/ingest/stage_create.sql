-- A private table for what one fetch read: the raw table's columns, order of arrival, and the body, where it is kept.
-- noqa: disable=all
CREATE TEMPORARY TABLE snapshot_stage (LIKE {table}, arrival bigint NOT NULL, body json);
