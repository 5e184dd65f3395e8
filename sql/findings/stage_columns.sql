-- Columns of the report's table, and which of them are numbers with a fraction: those stay exact as text in evidence.
SELECT
    c.column_name,
    c.data_type IN ('numeric', 'real', 'double precision') AS is_fraction
FROM information_schema.columns AS c
WHERE c.table_schema = 'reports' AND c.table_name = :report
ORDER BY c.ordinal_position;
