-- Forgets payments that the application no longer has.
DELETE FROM recon.link_payments AS k
USING pg_temp.changed_payments AS c
WHERE k.payment_ref = c.payment_ref AND c.is_gone;
