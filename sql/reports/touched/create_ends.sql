-- Beginnings of periods that end between the last refresh and this one: by the calendar, or as applications end them
-- that count a month as thirty days. A month that is cut short at its end may have begun up to three days later, which
-- matters on the last days of a month alone. :days are lengths of time that reports give any payment,
-- :object_days those that they give any object of a provider.
CREATE TEMPORARY TABLE touched_ends ON COMMIT DROP AS
SELECT
    s.period,
    cast(:last AS timestamptz) - s.length + s.early + INTERVAL '1' DAY * g.shift AS since,
    cast(:as_of AS timestamptz) - s.length + s.early + INTERVAL '1' DAY * g.shift AS until
FROM (
    VALUES
    ('day', INTERVAL '1' DAY, INTERVAL '0' HOUR, 0), ('day', INTERVAL '1' DAY, INTERVAL '25' HOUR, 0),
    ('week', INTERVAL '7' DAY, INTERVAL '0' HOUR, 0), ('week', INTERVAL '7' DAY, INTERVAL '25' HOUR, 0),
    ('month', INTERVAL '1' MONTH, INTERVAL '0' HOUR, 3), ('month', INTERVAL '1' MONTH, INTERVAL '25' HOUR, 3),
    ('quarter', INTERVAL '3' MONTH, INTERVAL '0' HOUR, 3), ('quarter', INTERVAL '3' MONTH, INTERVAL '49' HOUR, 3),
    ('year', INTERVAL '1' YEAR, INTERVAL '0' HOUR, 1), ('year', INTERVAL '1' YEAR, INTERVAL '25' HOUR, 1)
    UNION ALL
    SELECT
        'any' AS period,
        INTERVAL '1' DAY * d.days,
        INTERVAL '0' HOUR,
        0
    FROM unnest(cast(:days AS integer[])) AS d (days)
    UNION ALL
    SELECT
        'object' AS period,
        INTERVAL '1' DAY * d.days,
        INTERVAL '0' HOUR,
        0
    FROM unnest(cast(:object_days AS integer[])) AS d (days)
) AS s (period, length, early, shifts)
CROSS JOIN
    LATERAL generate_series(
        0,
        CASE
            WHEN extract(DAY FROM cast(:last AS timestamptz) + s.early + INTERVAL '1' DAY) = 1 THEN s.shifts
            WHEN extract(DAY FROM cast(:as_of AS timestamptz) + s.early + INTERVAL '1' DAY) = 1 THEN s.shifts
            ELSE 0
        END
    ) AS g (shift)
-- Of periods that something is sold for; what is not known counts as a year.
WHERE s.period IN ('any', 'object', 'year') OR s.period IN (SELECT lower(l.period) FROM recon.app_plans AS l);
