-- In which mode was this resource of this account read before?
SELECT c.livemode
FROM recon.coverage AS c
WHERE c.provider = :provider AND c.account = :account AND c.resource = :resource AND c.objects > 0
ORDER BY c.coverage_id DESC
LIMIT 1;
