-- Which reports have findings whose snooze is over?
SELECT DISTINCT f.report
FROM recon.findings AS f
WHERE f.status = 'snoozed' AND f.snoozed_until <= :as_of
ORDER BY f.report;
