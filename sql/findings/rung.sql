-- For which of these findings has a bell as grave rung within the flap window: for their thread, or in a digest for an
-- episode of theirs before this one? What a person snoozed since then counts no more.
WITH asked AS (
    SELECT
        f.finding_id,
        f.report,
        f.fingerprint,
        coalesce(f.thread_id, f.finding_id) AS thread_id,
        array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity) AS gravity
    FROM recon.findings AS f
    WHERE f.finding_id = any(:findings)
),

digested AS (
    SELECT DISTINCT unnest(n.covers) AS finding_id
    FROM recon.notifications AS n
    WHERE
        n.channel = '*'
        AND n.kind = 'digest'
        AND n.body ->> 'change' IN ('opened', 'risen')
        AND n.body ->> 'report' IN (SELECT a.report FROM asked AS a)
        AND n.created_at > cast(:as_of AS timestamptz) - cast(:flap_window AS interval)
)

SELECT a.finding_id
FROM asked AS a
INNER JOIN recon.notifications AS n ON a.thread_id = n.thread_id
WHERE
    n.channel = '*'
    AND n.kind IN ('opened', 'risen', 'woken')
    AND n.created_at > cast(:as_of AS timestamptz) - cast(:flap_window AS interval)
    AND array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], n.severity) <= a.gravity
    AND NOT EXISTS (
        SELECT 1 FROM recon.notifications AS s
        WHERE
            s.thread_id = n.thread_id
            AND s.channel = '*'
            AND s.kind = 'snoozed'
            AND s.notification_id > n.notification_id
    )
UNION
SELECT a.finding_id
FROM asked AS a
INNER JOIN recon.findings AS e ON a.report = e.report AND a.fingerprint = e.fingerprint AND a.finding_id > e.finding_id
INNER JOIN digested AS d ON e.finding_id = d.finding_id
WHERE array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], e.severity) <= a.gravity;
