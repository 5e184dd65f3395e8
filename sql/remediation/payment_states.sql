-- What one payment is now on both sides: why it does not count as paid.
SELECT
    a.status AS payment_status,
    t.state AS provider_state,
    t.link_method,
    coalesce(t.amount_refunded, 0) AS amount_refunded
FROM recon.app_payments AS a
LEFT JOIN recon.provider_transactions AS t
    ON
        a.provider = t.provider
        AND a.provider_ref = t.provider_ref
        AND t.kind IN ('payment', 'deposit')
WHERE a.payment_id = :payment_id
ORDER BY t.state ASC NULLS LAST
LIMIT 1;
