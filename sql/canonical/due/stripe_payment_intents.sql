-- PaymentIntents that changed, or whose link or refunds may have.
INSERT INTO pg_temp.due (source, account, object_id)
SELECT
    'stripe_payment_intents',
    r.account,
    r.object_id
FROM recon.stripe_payment_intents AS r
WHERE
    age(r.xmin) <= :changed_within
    OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'stripe')
    OR r.charge_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'stripe')
    OR r.invoice_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'stripe')
    OR r.metadata_payment_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'payment')
    OR r.metadata_user_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'user')
    OR r.customer_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'customer')
    OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'intent');
