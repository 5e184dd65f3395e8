-- Every state in which a provider's object speaks of this payment: by reference, by transaction, by what the provider
-- itself says it is for, or matched by us.
SELECT DISTINCT t.state
FROM recon.app_payments AS p
INNER JOIN recon.provider_transactions AS t
    ON
        (p.provider = t.provider AND p.provider_ref = t.provider_ref)
        OR (p.tx_hash = t.tx_hash AND t.kind = 'deposit')
        OR t.payment_ref = cast(p.payment_id AS text)
WHERE p.payment_id = :payment_id AND t.kind <> 'refund'
UNION
SELECT t.state
FROM recon.deposit_matches AS m
INNER JOIN recon.provider_transactions AS t
    ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
WHERE m.payment_ref = cast(:payment_id AS text)
ORDER BY state;
