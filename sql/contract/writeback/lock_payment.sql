-- Locks the rows of one payment until the transaction ends, so that neither a webhook nor another repair changes them.
-- Parameters: provider, provider_ref (text, as app_payments has them).
SELECT t.id AS payment_id
FROM public.payment_transactions AS t
WHERE lower(btrim(t.payment_method)) = :provider AND recon.plain_reference(t.transaction_id) = :provider_ref
ORDER BY t.id
FOR UPDATE;
