-- Caps on money and where a second approval begins, by currency.
SELECT
    l.action,
    l.report,
    l.currency,
    l.max_amount_per_run,
    l.max_amount_per_day,
    l.second_approval_above
FROM recon.policy_limits AS l;
