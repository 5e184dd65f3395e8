-- The deposits that were matched to a payment, as they were last read.
SELECT
    t.provider,
    t.account,
    t.provider_ref,
    t.state,
    t.raw_status,
    t.currency,
    t.tx_hash,
    m.amount_share,
    m.outcome,
    t.provider_created_at AS came_at
FROM recon.deposit_matches AS m
INNER JOIN recon.provider_transactions AS t
    ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
WHERE m.state = 'matched' AND m.payment_ref = cast(:payment_id AS text) AND t.vanished_at IS NULL
ORDER BY t.provider, t.account, t.provider_ref;
