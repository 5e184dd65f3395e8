-- What money do the live findings concern, by currency? A payment that several reports name counts once.
SELECT
    p.currency,
    cast(sum(p.amount) AS text) AS amount
FROM (
    SELECT
        f.currency,
        max(f.amount) AS amount
    FROM recon.findings AS f
    WHERE f.status <> 'resolved' AND f.currency IS NOT NULL AND f.amount IS NOT NULL
    GROUP BY f.currency, coalesce(f.provider || ' ' || (f.evidence ->> 'provider_ref'), cast(f.finding_id AS text))
) AS p
GROUP BY p.currency
ORDER BY p.currency;
