-- Live findings whose row is there again: seen once more, with the newest evidence. Severity only rises; a snooze that
-- is over ends.
UPDATE recon.findings AS f
SET
    last_seen_at = greatest(f.last_seen_at, :as_of),
    times_seen = f.times_seen + 1,
    severity = CASE
        WHEN
            array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], r.severity)
            < array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity)
            THEN r.severity
        ELSE f.severity
    END,
    status = CASE WHEN f.status = 'snoozed' AND f.snoozed_until <= :as_of THEN 'open' ELSE f.status END,
    provider = r.provider,
    user_ref = r.user_ref,
    payment_ref = r.payment_ref,
    amount = r.amount,
    currency = r.currency,
    action = :action,
    evidence = r.evidence
FROM report_rows AS r
WHERE
    f.report = :report
    AND f.status <> 'resolved'
    AND f.fingerprint = r.fingerprint
    AND NOT r.withheld;
