-- noqa: disable=all
-- Payments that objects name, or that deposits were matched to; {id} is the type of the application's ids.
INSERT INTO touched_payments (payment_id, user_id, provider, provider_ref, tx_hash)
SELECT p.payment_id, p.user_id, p.provider, p.provider_ref, p.tx_hash
FROM (
    SELECT o.payment_ref FROM pg_temp.touched_objects AS o WHERE o.payment_ref IS NOT NULL
    UNION
    SELECT m.payment_ref
    FROM pg_temp.touched_objects AS o
    INNER JOIN recon.deposit_matches AS m ON o.provider = m.provider AND o.provider_ref = m.provider_ref
    WHERE m.payment_ref IS NOT NULL
) AS r
INNER JOIN recon.app_payments AS p ON CAST(r.payment_ref AS {id}) = p.payment_id;
