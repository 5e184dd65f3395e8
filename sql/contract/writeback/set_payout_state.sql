-- Notes that a payout was made anew at Stripe. Changes exactly one row.
-- Parameters: payout_id (text), state (paid: it is there; in_transit: it is on its way to the bank), transfer_id (text,
-- Stripe's id of the new transfer or payout), at (timestamptz, now).
UPDATE public.payouts
SET
    status = cast(:state AS text),
    stripe_transfer_id = cast(:transfer_id AS text),
    error = NULL,
    paid_at = CASE WHEN cast(:state AS text) = 'paid' THEN cast(:at AS timestamptz) END,
    updated_at = cast(:at AS timestamptz)
WHERE id = cast(:payout_id AS bigint);
