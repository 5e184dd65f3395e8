-- How long the table of bodies is, in pages of the server.
SELECT pg_relation_size('recon.raw_json') / cast(current_setting('block_size') AS integer) AS pages;
