-- Contract: receipts are the studio's payments. Its phases are words of its own, said here in words the map knows.
CREATE VIEW recon.app_payments AS
SELECT
    r.receipt_no AS payment_id,
    r.member_uuid AS user_id,
    r.offer_code AS plan_id,
    cast(NULL AS bigint) AS booking_id,
    r.gateway AS provider,
    r.gateway_id AS provider_ref,
    CASE r.phase
        WHEN 'open' THEN 'pending' WHEN 'done' THEN 'paid' WHEN 'held' THEN 'authorized'
        WHEN 'void' THEN 'canceled' WHEN 'back' THEN 'refunded' ELSE r.phase
    END AS status,
    cast(r.cents AS numeric) / 100 AS amount,
    upper(r.cur) AS currency,
    cast(NULL AS text) AS crypto_currency,
    cast(NULL AS numeric) AS crypto_amount,
    cast(NULL AS text) AS deposit_address,
    cast(NULL AS text) AS deposit_tag,
    cast(NULL AS text) AS network,
    cast(NULL AS text) AS tx_hash,
    cast(NULL AS numeric) AS received_amount,
    r.made AS created_at,
    cast(NULL AS timestamptz) AS expires_at,
    r.settled AS confirmed_at,
    r.touched AS updated_at
FROM studio.receipts AS r;
