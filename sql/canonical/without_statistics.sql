-- Our tables that hold rows and were never analysed: the server's own analysis comes a minute or an hour after a first
-- load, and until then a report may be planned for a table of a few rows.
SELECT c.relname
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE n.nspname = 'recon' AND c.relkind = 'r' AND c.reltuples < 0 AND pg_relation_size(c.oid) > 0
ORDER BY c.relname;
