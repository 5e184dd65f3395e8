-- Why payments and webhooks fail, the most frequent first: the provider's code, the state a payment ended in, the
-- error the inbox wrote down.
SELECT
    f.source,
    f.provider,
    f.reason,
    count(*) AS times,
    max(f.at) AS newest
FROM (
    SELECT
        'payment' AS source,
        'stripe' AS provider,
        c.failure_code AS reason,
        c.created_at AS at
    FROM recon.stripe_charges AS c
    WHERE c.failure_code IS NOT NULL
    UNION ALL
    SELECT
        'payment' AS source,
        t.provider,
        t.raw_status AS reason,
        t.provider_created_at AS at
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'payment'
        AND t.provider <> 'stripe'
        AND t.state IN ('failed', 'canceled', 'expired', 'partially_paid', 'frozen')
    UNION ALL
    SELECT
        'webhook' AS source,
        w.provider,
        CASE WHEN w.signature_valid IS FALSE THEN 'signature refused' ELSE left(w.error_message, 120) END AS reason,
        w.created_at AS at
    FROM recon.app_webhook_logs AS w
    WHERE w.signature_valid IS FALSE OR w.error_message IS NOT NULL
) AS f
WHERE f.at > cast(:since AS timestamptz) AND f.at <= cast(:as_of AS timestamptz)
GROUP BY f.source, f.provider, f.reason
ORDER BY times DESC, f.source ASC, f.provider ASC, f.reason ASC
LIMIT 50;
