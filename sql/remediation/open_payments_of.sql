-- The newest payments of a user at Stripe that the application does not call paid, and where they were read, if at all.
SELECT
    cast(p.payment_id AS text) AS payment_id,
    p.provider_ref,
    t.account
FROM recon.app_payments AS p
LEFT JOIN recon.state_map AS m
    ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
LEFT JOIN recon.provider_transactions AS t
    ON p.provider = t.provider AND p.provider_ref = t.provider_ref AND t.kind = 'payment'
WHERE
    p.user_id = :user_id
    AND p.provider = 'stripe'
    AND p.provider_ref LIKE 'pi\_%'
    AND coalesce(m.state, 'unknown') IN ('unknown', 'pending', 'processing')
    AND p.created_at > cast(:as_of AS timestamptz) - INTERVAL '7' DAY
ORDER BY p.created_at DESC, p.payment_id DESC
LIMIT 5;
