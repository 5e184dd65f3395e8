-- Intents, and charges that have none: those are payments themselves.
INSERT INTO pg_temp.stripe_objects (
    account, object_id, charge_id, customer_id, metadata_user_id, metadata_payment_id, metadata_app
)
SELECT
    i.account,
    i.object_id,
    i.charge_id,
    i.customer_id,
    i.metadata_user_id,
    i.metadata_payment_id,
    i.metadata_app
FROM pg_temp.due_stripe_payment_intents AS i
UNION ALL
SELECT
    c.account,
    c.object_id,
    NULL AS charge_id,
    c.customer_id,
    c.metadata_user_id,
    c.metadata_payment_id,
    c.metadata_app
FROM pg_temp.due_stripe_charges AS c
WHERE c.payment_intent_id IS NULL;
