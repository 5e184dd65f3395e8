-- Which version of a contract view is applied.
SELECT v.digest
FROM recon.contract_views AS v
WHERE v.view_name = :view;
