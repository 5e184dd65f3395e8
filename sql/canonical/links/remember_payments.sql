-- Remembers what the application now says of payments.
INSERT INTO recon.link_payments (payment_ref, user_ref, provider, provider_ref, tx_hash)
SELECT
    c.payment_ref,
    c.user_ref,
    c.provider,
    c.provider_ref,
    c.tx_hash
FROM pg_temp.changed_payments AS c
WHERE NOT c.is_gone
-- In the order of the primary key: a third faster where there are many.
ORDER BY c.payment_ref
ON CONFLICT (payment_ref) DO UPDATE SET
    user_ref = excluded.user_ref,
    provider = excluded.provider,
    provider_ref = excluded.provider_ref,
    tx_hash = excluded.tx_hash;
