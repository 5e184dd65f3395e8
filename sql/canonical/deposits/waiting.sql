-- The application's payments by deposit to the exchange, whatever became of them, with a digest of all that matching
-- looks at.
CREATE TEMPORARY TABLE waiting ON COMMIT DROP AS
SELECT
    CASE
        WHEN lower(substring(p.provider_ref, 1, 2)) = '0x' THEN lower(p.provider_ref) ELSE p.provider_ref
    END AS provider_ref,
    p.tx_hash,
    p.crypto_currency,
    p.network,
    p.deposit_address,
    p.deposit_tag,
    p.crypto_amount,
    p.created_at,
    p.expires_at,
    cast(p.payment_id AS text) AS payment_ref,
    cast(p.user_id AS text) AS payer,
    coalesce(m.state IN ('failed', 'canceled', 'expired'), FALSE) AS is_closed,
    lower(btrim(p.deposit_address)) AS place,
    hashtextextended(
        concat_ws(
            '|', cast(:rules AS text), coalesce(p.provider_ref, '?'), coalesce(p.tx_hash, '?'),
            coalesce(p.crypto_currency, '?'), coalesce(p.network, '?'), coalesce(p.deposit_address, '?'),
            coalesce(p.deposit_tag, '?'), coalesce(cast(p.crypto_amount AS text), '?'),
            coalesce(cast(p.user_id AS text), '?'),
            extract(EPOCH FROM p.created_at),
            coalesce(cast(extract(EPOCH FROM p.expires_at) AS text), '?'),
            coalesce(m.state IN ('failed', 'canceled', 'expired'), FALSE)
        ),
        0
    ) AS digest
FROM recon.app_payments AS p
LEFT JOIN recon.state_map AS m ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
WHERE p.provider = 'okx';
