-- Contract: the studio's offers. A period is counted in days there; the contract knows names.
CREATE VIEW recon.app_plans AS
SELECT
    o.code AS plan_id,
    o.label AS plan_name,
    o.level AS tier,
    CASE o.every_days WHEN 1 THEN 'day' WHEN 7 THEN 'week' WHEN 30 THEN 'month' WHEN 365 THEN 'year' END AS period,
    cast(o.cents AS numeric) / 100 AS price,
    upper(o.cur) AS currency,
    cast(NULL AS text) AS stripe_price_id
FROM studio.offers AS o;
