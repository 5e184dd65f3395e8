-- What is the newest fetch of each resource and account of these providers worth?
SELECT DISTINCT ON (c.provider, c.resource, c.account)
    c.provider,
    c.resource,
    c.account,
    c.complete,
    c.error
FROM recon.coverage AS c
WHERE c.provider = any(:providers)
ORDER BY c.provider ASC, c.resource ASC, c.account ASC, c.coverage_id DESC;
