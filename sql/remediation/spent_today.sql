-- What this kind of action (of one report, or of all) has done or begun on the UTC day of :at, but for those that were
-- refused and so did nothing: how many, and how much of one currency.
SELECT
    count(*) AS actions,
    coalesce(sum(a.amount) FILTER (WHERE a.currency = :currency), 0) AS amount
FROM recon.actions AS a
WHERE
    a.kind = :kind
    AND (:report = '' OR a.report = :report)
    AND a.intended_at >= date_trunc('day', cast(:at AS timestamptz), 'UTC')
    AND a.intended_at < date_trunc('day', cast(:at AS timestamptz), 'UTC') + INTERVAL '1' DAY
    AND a.state IN ('applying', 'verified', 'failed');
