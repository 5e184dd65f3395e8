-- Contract: what can be bought. period is one of day, week, month, quarter, year, lifetime.
CREATE VIEW recon.app_plans AS
SELECT
    p.id AS plan_id,
    p.name AS plan_name,
    btrim(p.tier) AS tier,
    p.period,
    p.price,
    upper(btrim(p.currency)) AS currency,
    p.stripe_price_id
FROM public.plans AS p;
