-- Charges without an intent that changed, or whose link or refunds may have.
INSERT INTO pg_temp.due (source, account, object_id)
SELECT
    'stripe_charges',
    r.account,
    r.object_id
FROM recon.stripe_charges AS r
WHERE
    r.payment_intent_id IS NULL
    AND (
        age(r.xmin) <= :changed_within
        OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'stripe')
        OR r.metadata_payment_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'payment')
        OR r.metadata_user_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'user')
        OR r.customer_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'customer')
        OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'charge')
    );
