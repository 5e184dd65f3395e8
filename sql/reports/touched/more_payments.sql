-- noqa: disable=all
-- Payments that objects name, that deposits were matched to, or that are known by the charge of an object; {id} is the
-- type of the application's ids, {form} what their text looks like.
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
INNER JOIN recon.app_payments AS p
    ON CASE WHEN r.payment_ref ~ {form} THEN CAST(r.payment_ref AS {id}) END = p.payment_id
UNION
SELECT p.payment_id, p.user_id, p.provider, p.provider_ref, p.tx_hash
FROM (SELECT DISTINCT o.provider_ref FROM pg_temp.touched_objects AS o WHERE o.provider = 'stripe') AS o
INNER JOIN recon.provider_transactions AS t ON t.provider = 'stripe' AND o.provider_ref = t.provider_ref
INNER JOIN recon.stripe_payment_intents AS i ON t.account = i.account AND t.provider_ref = i.object_id
INNER JOIN recon.app_payments AS p ON p.provider = 'stripe' AND i.charge_id = p.provider_ref
EXCEPT
SELECT k.payment_id, k.user_id, k.provider, k.provider_ref, k.tx_hash FROM pg_temp.touched_payments AS k;
