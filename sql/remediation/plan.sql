-- One plan, and what a day on its tier costs at most: a year of a tier may be cheaper by the day than a month of a
-- lesser one.
SELECT
    p.plan_name,
    p.tier,
    lower(p.period) AS period,
    upper(p.currency) AS currency,
    (
        SELECT
            max(
                t.price / CASE lower(t.period)
                    WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 30 WHEN 'quarter' THEN 91
                    WHEN 'year' THEN 365
                END
            )
        FROM recon.app_plans AS t
        WHERE lower(t.tier) = lower(p.tier) AND upper(t.currency) = upper(p.currency)
    ) AS dearest_day
FROM recon.app_plans AS p
WHERE p.plan_id = :plan_id;
