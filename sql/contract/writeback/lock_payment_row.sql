-- Locks one payment's row until the transaction ends.
-- Parameter: payment_id (text, as cast(app_payments.payment_id AS text) gives it).
SELECT t.id AS payment_id
FROM public.payment_transactions AS t
WHERE t.id = cast(:payment_id AS bigint)
FOR UPDATE;
