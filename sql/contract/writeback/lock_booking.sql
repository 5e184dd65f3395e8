-- Locks the bookings that one payment is for until the transaction ends, so that nobody joins or cancels meanwhile.
-- Parameters: provider, provider_ref (text, as app_payments has them).
SELECT b.id AS booking_id
FROM public.bookings AS b
WHERE
    b.id IN (
        SELECT t.booking_id
        FROM public.payment_transactions AS t
        WHERE lower(btrim(t.payment_method)) = :provider AND recon.plain_reference(t.transaction_id) = :provider_ref
    )
ORDER BY b.id
FOR UPDATE;
