-- Brings a payment to the state the provider confirmed, in the application's own words. Changes exactly one row.
-- Parameters: payment_id (text), state (canonical: pending, processing, authorized, paid, partially_paid, failed,
-- canceled, expired, refunded), amount (what was taken, major units; null: unchanged), paid_at (timestamptz: when the
-- provider was paid; null: now), at (timestamptz, now).
UPDATE public.payment_transactions
SET
    status = CASE cast(:state AS text)
        WHEN 'paid' THEN 'completed'
        WHEN 'canceled' THEN 'cancelled'
        ELSE cast(:state AS text)
    END,
    amount = coalesce(cast(:amount AS numeric), amount),
    confirmed_at = CASE
        WHEN cast(:state AS text) = 'paid'
            THEN coalesce(confirmed_at, cast(:paid_at AS timestamptz), cast(:at AS timestamptz))
        ELSE confirmed_at
    END,
    updated_at = cast(:at AS timestamptz)
WHERE id = cast(:payment_id AS bigint);
