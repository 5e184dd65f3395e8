-- Findings whose snooze is over are open again.
UPDATE recon.findings AS f
SET
    status = 'open',
    snoozed_until = NULL
WHERE f.report = :report AND f.status = 'snoozed' AND f.snoozed_until <= :as_of
RETURNING f.finding_id;
