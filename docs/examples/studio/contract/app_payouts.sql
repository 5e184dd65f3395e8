-- Contract: the studio pays nobody out.
CREATE VIEW recon.app_payouts AS
SELECT
    cast(NULL AS bigint) AS payout_id,
    cast(NULL AS uuid) AS payee_id,
    cast(NULL AS bigint) AS booking_id,
    cast(NULL AS numeric) AS amount,
    cast(NULL AS text) AS currency,
    cast(NULL AS text) AS method,
    cast(NULL AS text) AS stripe_transfer_id,
    cast(NULL AS text) AS paypal_batch_id,
    cast(NULL AS text) AS status,
    cast(NULL AS text) AS error,
    cast(NULL AS timestamptz) AS created_at,
    cast(NULL AS timestamptz) AS paid_at,
    cast(NULL AS timestamptz) AS updated_at
WHERE FALSE;
