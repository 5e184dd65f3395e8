-- Money in and money returned, by currency and day (UTC), in major units. Deposits count in coins.
SELECT
    m.currency,
    m.day,
    sum(m.received) AS received,
    sum(m.returned) AS returned,
    sum(m.received) - sum(m.returned) AS net,
    sum(m.payments) AS payments
FROM (
    SELECT
        coalesce(t.received_currency, t.currency) AS currency,
        cast(coalesce(t.paid_at, t.provider_created_at) AT TIME ZONE 'UTC' AS date) AS day,
        coalesce(t.amount_received, t.amount) AS received,
        0 AS returned,
        1 AS payments
    FROM recon.provider_transactions AS t
    WHERE
        t.kind IN ('payment', 'deposit')
        AND t.state IN ('paid', 'refunded', 'partially_paid')
        AND t.link_method <> 'foreign'
        AND coalesce(t.paid_at, t.provider_created_at) > cast(:since AS timestamptz)
        AND coalesce(t.paid_at, t.provider_created_at) <= cast(:as_of AS timestamptz)
    UNION ALL
    SELECT
        t.currency,
        cast(t.provider_created_at AT TIME ZONE 'UTC' AS date) AS day,
        0 AS received,
        t.amount AS returned,
        0 AS payments
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'refund'
        AND t.state IN ('paid', 'refunded')
        AND t.provider_created_at > cast(:since AS timestamptz)
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
) AS m
GROUP BY m.currency, m.day
ORDER BY m.day DESC, m.currency ASC;
