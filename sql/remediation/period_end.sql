-- When a period of a plan that starts now ends, by the calendar in UTC; null for ever.
SELECT
    CASE cast(:period AS text)
        WHEN 'day' THEN cast(:start AS timestamptz) + INTERVAL '1' DAY
        WHEN 'week' THEN cast(:start AS timestamptz) + INTERVAL '7' DAY
        WHEN 'month' THEN cast(:start AS timestamptz) + INTERVAL '1' MONTH
        WHEN 'quarter' THEN cast(:start AS timestamptz) + INTERVAL '3' MONTH
        WHEN 'year' THEN cast(:start AS timestamptz) + INTERVAL '1' YEAR
    END AS ends_at;
