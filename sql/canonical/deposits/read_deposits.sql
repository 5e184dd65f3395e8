-- The deposits to judge that are final.
SELECT
    a.provider,
    a.account,
    a.provider_ref,
    a.currency,
    a.network,
    a.deposit_address,
    a.deposit_tag,
    a.tx_hash,
    a.amount,
    a.provider_created_at,
    a.is_internal,
    a.digest
FROM touched_deposits AS d
INNER JOIN arrived AS a ON d.provider = a.provider AND d.account = a.account AND d.provider_ref = a.provider_ref
ORDER BY a.provider, a.account, a.provider_ref;
