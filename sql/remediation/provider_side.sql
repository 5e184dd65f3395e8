-- A provider's object as it was last read; gone ones are none.
SELECT
    t.account,
    t.state,
    t.raw_status,
    t.amount,
    t.currency,
    t.disputed,
    t.link_method,
    t.paid_at
FROM recon.provider_transactions AS t
WHERE t.provider = :provider AND t.provider_ref = :provider_ref AND t.kind = 'payment' AND t.vanished_at IS NULL
ORDER BY t.account;
