-- How long have the live findings been open?
SELECT
    a.age,
    count(*) AS findings
FROM (
    SELECT
        CASE
            WHEN f.opened_at > cast(:as_of AS timestamptz) - interval '1 day' THEN 'less than a day'
            WHEN f.opened_at > cast(:as_of AS timestamptz) - interval '7 days' THEN 'less than a week'
            WHEN f.opened_at > cast(:as_of AS timestamptz) - interval '30 days' THEN 'less than 30 days'
            ELSE '30 days and more'
        END AS age,
        cast(:as_of AS timestamptz) - f.opened_at AS span
    FROM recon.findings AS f
    WHERE f.status <> 'resolved'
) AS a
GROUP BY a.age
ORDER BY min(a.span);
