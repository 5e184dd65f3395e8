-- The payments to judge them against.
SELECT
    w.payment_ref,
    w.provider_ref,
    w.tx_hash,
    w.crypto_currency,
    w.network,
    w.deposit_address,
    w.deposit_tag,
    w.crypto_amount,
    w.created_at,
    w.expires_at,
    w.is_closed,
    w.payer
FROM touched_payments AS p
INNER JOIN waiting AS w ON p.payment_ref = w.payment_ref
ORDER BY w.payment_ref;
