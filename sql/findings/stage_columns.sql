-- Columns of the report's table; which of them are numbers with a fraction, which stay exact as text in evidence; and
-- which are words, whose change means that the anomaly is another one than before.
SELECT
    c.column_name,
    c.data_type IN ('numeric', 'real', 'double precision') AS is_fraction,
    c.column_name = 'amount' OR (
        c.column_name NOT IN ('fingerprint', 'severity')
        AND c.data_type IN ('text', 'character varying', 'character', 'boolean')
    ) AS is_material
FROM information_schema.columns AS c
WHERE c.table_schema = 'reports' AND c.table_name = :report
ORDER BY c.ordinal_position;
