-- The studio takes no deposits: this is never called. Changes exactly one row.
-- Parameters: payment_id, tx_hash (text), received_amount (coins), confirmed_at, at (timestamptz).
UPDATE studio.receipts
SET phase = 'done', settled = cast(:confirmed_at AS timestamptz), touched = cast(:at AS timestamptz)
WHERE
    receipt_no = cast(:payment_id AS bigint)
    AND cast(:received_amount AS numeric) > 0
    AND coalesce(cast(:tx_hash AS text), '') <> '';
