-- Brings a receipt to the state the provider confirmed, in the studio's words and cents. Changes exactly one row.
-- Parameters: payment_id (text), state (canonical), amount (major units; null: unchanged),
-- paid_at (timestamptz; null: now), at (timestamptz).
UPDATE studio.receipts
SET
    phase = CASE cast(:state AS text)
        WHEN 'paid' THEN 'done' WHEN 'authorized' THEN 'held' WHEN 'canceled' THEN 'void' WHEN 'refunded' THEN 'back'
        WHEN 'pending' THEN 'open' ELSE cast(:state AS text)
    END,
    cents = coalesce(cast(cast(:amount AS numeric) * 100 AS bigint), cents),
    settled = CASE
        WHEN cast(:state AS text) = 'paid'
            THEN coalesce(settled, cast(:paid_at AS timestamptz), cast(:at AS timestamptz))
        ELSE settled
    END,
    touched = cast(:at AS timestamptz)
WHERE receipt_no = cast(:payment_id AS bigint);
