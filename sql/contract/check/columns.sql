-- Which columns a contract view offers.
SELECT c.column_name
FROM information_schema.columns AS c
WHERE c.table_schema = 'recon' AND c.table_name = :view;
