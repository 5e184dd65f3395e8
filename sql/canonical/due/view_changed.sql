-- The objects of a raw table that are due.
-- noqa: disable=all
CREATE TEMPORARY VIEW {view} AS
SELECT r.*
FROM pg_temp.due AS d
INNER JOIN {table} AS r ON r.account = d.account AND r.object_id = d.object_id
WHERE d.source = {source};
