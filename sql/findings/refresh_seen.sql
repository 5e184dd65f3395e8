-- Live findings whose row is there again: seen once more, with the newest evidence. Severity only rises; one that rises
-- to HIGH or CRITICAL ends a snooze, because something smaller was put off. Answers how many, and which rose so.
WITH seen AS (
    UPDATE recon.findings AS f
    SET
        last_seen_at = greatest(f.last_seen_at, :as_of),
        times_seen = f.times_seen + 1,
        severity = CASE
            WHEN
                array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], s.severity)
                < array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity)
                THEN s.severity
            ELSE f.severity
        END,
        status = CASE WHEN f.status = 'snoozed' AND s.rises THEN 'open' ELSE f.status END,
        snoozed_until = CASE WHEN s.rises THEN NULL ELSE f.snoozed_until END,
        provider = s.provider,
        user_ref = s.user_ref,
        payment_ref = s.payment_ref,
        amount = s.amount,
        currency = s.currency,
        action = cast(:action AS text),
        evidence = s.evidence,
        material = s.material
    FROM (
        SELECT
            r.*,
            l.finding_id,
            r.severity IN ('CRITICAL', 'HIGH')
            AND array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], r.severity)
            < array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], l.severity) AS rises
        FROM report_rows AS r
        INNER JOIN recon.findings AS l ON r.fingerprint = l.fingerprint
        WHERE l.report = :report AND l.status <> 'resolved' AND NOT r.withheld
    ) AS s
    WHERE f.finding_id = s.finding_id AND f.status <> 'resolved'
    RETURNING f.finding_id, s.rises
)

SELECT
    count(*) AS refreshed,
    coalesce(array_agg(seen.finding_id ORDER BY seen.finding_id) FILTER (WHERE seen.rises), '{}') AS risen
FROM seen;
