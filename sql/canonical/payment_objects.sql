-- Which object of the provider stands for which payment of the application. way 1: the application's reference is its
-- id. 2: the reference is the id of its charge. 3: the application has no reference to a payment of the provider (none
-- at all, or that of a checkout, an invoice, a subscription), and the object names the payment. Reports that start from
-- few objects or few payments ask for theirs by index, laterally; those that compare all ask for what is not way 1.
CREATE VIEW recon.payment_objects AS
SELECT
    p.payment_id,
    t.provider,
    t.account,
    t.provider_ref,
    1 AS way
FROM recon.provider_transactions AS t
INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
WHERE t.kind IN ('payment', 'deposit')
UNION ALL
SELECT
    p.payment_id,
    'stripe' AS provider,
    t.account,
    t.provider_ref,
    2 AS way
FROM recon.app_payments AS p
INNER JOIN recon.stripe_payment_intents AS i ON p.provider_ref = i.charge_id
INNER JOIN recon.provider_transactions AS t ON i.account = t.account AND i.object_id = t.provider_ref
WHERE t.provider = 'stripe' AND p.provider = 'stripe' AND substring(p.provider_ref, 1, 3) IN ('ch_', 'py_')
UNION ALL
SELECT
    p.payment_id,
    t.provider,
    t.account,
    t.provider_ref,
    3 AS way
FROM recon.provider_transactions AS t
INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.payment_ref = cast(p.payment_id AS text)
WHERE
    t.link_method IN ('metadata', 'checkout')
    AND t.kind = 'payment'
    AND t.parent_ref IS NULL
    AND coalesce(substring(p.provider_ref, 1, 3), '') <> 'pi_'
    AND NOT EXISTS (
        SELECT 1 FROM recon.provider_transactions AS o
        WHERE o.provider = p.provider AND o.provider_ref = p.provider_ref AND o.vanished_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1 FROM recon.stripe_payment_intents AS i
        WHERE p.provider = 'stripe' AND i.charge_id = p.provider_ref
    );
