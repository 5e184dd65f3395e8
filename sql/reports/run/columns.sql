-- Columns of a report's table, in order.
SELECT a.attname AS name
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass('reports.' || cast(:report AS text)) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;
