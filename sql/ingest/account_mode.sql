-- In which mode was this account read before, whatever resource? A certificate of a fetch that found nothing says only
-- what the key was for, and so does one of a list that broke off before anything was stored.
SELECT c.livemode
FROM recon.coverage AS c
WHERE
    c.provider = :provider AND c.account = :account
    AND (c.rows_written > 0 OR (c.complete AND c.objects > 0 AND c.mode <> 'reread'))
ORDER BY c.coverage_id DESC
LIMIT 1;
