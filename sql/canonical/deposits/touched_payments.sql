-- Payments to judge: at first those that are new, look different, or are gone.
CREATE TEMPORARY TABLE touched_payments ON COMMIT DROP AS
SELECT coalesce(w.payment_ref, s.payment_ref) AS payment_ref
FROM waiting AS w
FULL JOIN recon.deposit_match_payments AS s ON w.payment_ref = s.payment_ref
WHERE w.digest IS DISTINCT FROM s.digest;
