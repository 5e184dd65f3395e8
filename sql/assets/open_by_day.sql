-- How many findings of each severity were open at the end of each of the last days, and are now?
SELECT
    d.at,
    s.severity,
    count(f.finding_id) AS findings
FROM (
    SELECT least(g.day + interval '1 day', cast(:now AS timestamptz)) AS at
    FROM generate_series(
        date_trunc('day', cast(:now AS timestamptz)) - interval '1 day' * :days,
        date_trunc('day', cast(:now AS timestamptz)),
        interval '1 day'
    ) AS g (day)
) AS d
CROSS JOIN unnest(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW']) AS s (severity)
LEFT JOIN recon.findings AS f
    ON
        s.severity = f.severity
        AND d.at >= f.opened_at
        AND (f.status <> 'resolved' OR d.at < f.resolved_at)
        AND (f.status <> 'resolved' OR f.resolved_at > cast(:now AS timestamptz) - interval '1 day' * (:days + 1))
GROUP BY d.at, s.severity
ORDER BY d.at, s.severity;
