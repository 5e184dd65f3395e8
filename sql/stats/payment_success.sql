-- How many payments of the window came to money, by provider and method: attempts as the provider knows them.
WITH attempts AS (
    SELECT
        t.provider,
        t.state,
        coalesce(
            CASE WHEN t.provider = 'stripe' THEN coalesce(c.payment_method_type, 'no charge') END,
            nullif(concat_ws(' ', t.received_currency, t.network), ''),
            'unknown'
        ) AS method
    FROM recon.provider_transactions AS t
    LEFT JOIN LATERAL (
        SELECT x.payment_method_type
        FROM recon.stripe_charges AS x
        WHERE t.provider = 'stripe' AND x.account = t.account AND x.payment_intent_id = t.provider_ref
        ORDER BY x.created_at DESC
        LIMIT 1
    ) AS c ON TRUE
    WHERE
        t.kind = 'payment'
        AND t.provider_created_at > cast(:since AS timestamptz)
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
)

SELECT
    a.provider,
    a.method,
    count(*) AS attempts,
    count(*) FILTER (WHERE a.state IN ('paid', 'refunded', 'authorized')) AS succeeded,
    count(*) FILTER (WHERE a.state IN ('failed', 'canceled', 'expired')) AS failed,
    count(*) FILTER (WHERE a.state IN ('pending', 'processing', 'partially_paid', 'frozen', 'unknown')) AS undecided,
    round(
        100.0 * count(*) FILTER (WHERE a.state IN ('paid', 'refunded', 'authorized'))
        / nullif(count(*) FILTER (WHERE a.state NOT IN ('pending', 'processing', 'unknown')), 0), 1
    ) AS percent
FROM attempts AS a
GROUP BY a.provider, a.method
ORDER BY attempts DESC, a.provider ASC, a.method ASC;
