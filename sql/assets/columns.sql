-- Which columns has a table, in order, of which types?
SELECT
    a.attname,
    format_type(a.atttypid, a.atttypmod) AS kind
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass(:table) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;
