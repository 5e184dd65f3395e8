-- Did the newest re-read of this resource fail, so that a complete one has to make it good?
SELECT NOT c.complete AS failed
FROM recon.coverage AS c
WHERE c.provider = :provider AND c.account = :account AND c.resource = :resource AND c.mode = 'reread'
ORDER BY c.coverage_id DESC
LIMIT 1;
