-- The deposits that were matched to a payment, as they were last read; the transaction as the exchange writes it.
SELECT
    t.provider,
    t.account,
    t.provider_ref,
    t.state,
    t.raw_status,
    t.currency,
    coalesce(o.tx_id, t.tx_hash) AS tx_hash,
    m.amount_share,
    m.outcome,
    t.provider_created_at AS came_at
FROM recon.deposit_matches AS m
INNER JOIN recon.provider_transactions AS t
    ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
LEFT JOIN recon.okx_deposits AS o ON t.provider = 'okx' AND t.account = o.account AND t.provider_ref = o.object_id
WHERE m.state = 'matched' AND m.payment_ref = cast(:payment_id AS text) AND t.vanished_at IS NULL
ORDER BY t.provider, t.account, t.provider_ref;
