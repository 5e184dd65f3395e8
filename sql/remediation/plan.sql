-- One plan.
SELECT
    p.plan_name,
    p.tier,
    lower(p.period) AS period,
    p.currency,
    p.price / CASE lower(p.period)
        WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 30 WHEN 'quarter' THEN 91 WHEN 'year' THEN 365
    END AS price_a_day
FROM recon.app_plans AS p
WHERE p.plan_id = :plan_id;
