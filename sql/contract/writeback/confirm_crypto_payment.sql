-- Books what came for a crypto payment. Changes exactly one row.
-- Parameters: payment_id (text), tx_hash (text; null: unchanged), received_amount (coins), confirmed_at (when the last
-- deposit came), at (timestamptz, now).
UPDATE public.payment_transactions
SET
    status = 'completed',
    tx_hash = coalesce(cast(:tx_hash AS text), tx_hash),
    received_amount = cast(:received_amount AS numeric),
    confirmed_at = cast(:confirmed_at AS timestamptz),
    updated_at = cast(:at AS timestamptz)
WHERE id = cast(:payment_id AS bigint);
