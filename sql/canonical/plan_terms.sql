-- What a plan gives, in the words and days that reports compare: its tier in lower case, and how long a period of it
-- can be, in days where a month has as many as it can have (of an unknown period the longest). The one place of this
-- rule for readers that look at payments before any verdict. DISTINCT is a fence: it is worked out once a plan, not
-- once for each payment of the plan.
CREATE VIEW recon.plan_terms AS
SELECT DISTINCT
    l.plan_id,
    lower(l.tier) AS tier_word,
    coalesce(lower(l.period) = 'lifetime', FALSE) AS is_lifetime,
    CASE lower(l.period)
        WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 31 WHEN 'quarter' THEN 92 ELSE 366
    END AS longest_days
FROM recon.app_plans AS l;
