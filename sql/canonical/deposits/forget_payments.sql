-- Payments that are gone.
DELETE FROM recon.deposit_match_payments AS s
USING touched_payments AS p
WHERE s.payment_ref = p.payment_ref AND NOT EXISTS (SELECT 1 FROM waiting AS w WHERE w.payment_ref = p.payment_ref);
