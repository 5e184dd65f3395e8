-- Deposits that are final and still there, with a digest of all that matching looks at. OKX names the sender (its
-- field "from") only where the money came from another account of the exchange.
CREATE TEMPORARY TABLE arrived ON COMMIT DROP AS
SELECT
    t.provider,
    t.account,
    t.provider_ref,
    t.currency,
    t.network,
    t.deposit_address,
    t.deposit_tag,
    t.tx_hash,
    t.amount,
    t.provider_created_at,
    o.from_address IS NOT NULL AS is_internal,
    lower(btrim(t.deposit_address)) AS place,
    hashtextextended(
        concat_ws(
            '|', cast(:rules AS text), t.currency, coalesce(t.network, '?'), coalesce(t.deposit_address, '?'),
            coalesce(t.deposit_tag, '?'), coalesce(t.tx_hash, '?'), t.amount,
            extract(EPOCH FROM t.provider_created_at), o.from_address IS NOT NULL
        ),
        0
    ) AS digest
FROM recon.provider_transactions AS t
LEFT JOIN recon.okx_deposits AS o ON t.provider = 'okx' AND t.account = o.account AND t.provider_ref = o.object_id
WHERE t.kind = 'deposit' AND t.state = 'paid' AND t.vanished_at IS NULL;
