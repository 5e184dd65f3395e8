-- How many findings are live, by report, severity and currency, and what money do they concern?
SELECT
    f.report,
    f.severity,
    f.currency,
    count(*) AS findings,
    coalesce(sum(f.amount), 0) AS amount
FROM recon.findings AS f
WHERE f.status <> 'resolved'
GROUP BY f.report, f.severity, f.currency
ORDER BY f.report, f.severity, f.currency;
