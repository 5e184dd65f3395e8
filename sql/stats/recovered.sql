-- What repairs brought in order, by kind and currency: verified ones, and the amounts at stake in their findings.
SELECT
    a.kind,
    coalesce(a.currency, f.currency) AS currency,
    count(*) AS repairs,
    sum(coalesce(a.amount, f.amount)) AS amount,
    round(
        cast(
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(EPOCH FROM a.finished_at - f.opened_at)) AS numeric
        ), 1
    ) AS p50_seconds_from_finding
FROM recon.actions AS a
LEFT JOIN recon.findings AS f ON a.finding_id = f.finding_id
WHERE
    a.state = 'verified'
    AND a.finished_at > cast(:since AS timestamptz)
    AND a.finished_at <= cast(:as_of AS timestamptz)
GROUP BY a.kind, coalesce(a.currency, f.currency)
ORDER BY repairs DESC, a.kind ASC, currency ASC;
