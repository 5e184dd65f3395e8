-- Beginnings of periods that end between the last refresh and this one. A month that is cut short at its end may have
-- begun up to three days later.
CREATE TEMPORARY TABLE touched_ends ON COMMIT DROP AS
SELECT
    cast(:last AS timestamptz) - s.period + INTERVAL '1' DAY * g.shift AS since,
    cast(:as_of AS timestamptz) - s.period + INTERVAL '1' DAY * g.shift AS until
FROM (
    VALUES
    (INTERVAL '1' DAY, 0), (INTERVAL '7' DAY, 0), (INTERVAL '1' MONTH, 3), (INTERVAL '3' MONTH, 3),
    (INTERVAL '1' YEAR, 1)
) AS s (period, shifts)
CROSS JOIN LATERAL generate_series(0, s.shifts) AS g (shift);
