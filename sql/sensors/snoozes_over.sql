-- Whose snooze is over, on findings that nobody resolved since?
SELECT
    count(*) AS findings,
    coalesce(min(f.finding_id), 0) AS first_id,
    max(f.snoozed_until) AS latest,
    min(f.snoozed_until) AS earliest
FROM recon.findings AS f
WHERE f.status = 'snoozed' AND f.snoozed_until <= :now;
