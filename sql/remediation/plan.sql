-- One plan.
SELECT
    p.plan_name,
    p.tier,
    lower(p.period) AS period
FROM recon.app_plans AS p
WHERE p.plan_id = :plan_id;
