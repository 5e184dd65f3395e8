-- Transfers that changed, or whose link may have.
INSERT INTO pg_temp.due (source, account, object_id)
SELECT
    'stripe_transfers',
    r.account,
    r.object_id
FROM recon.stripe_transfers AS r
WHERE
    age(r.xmin) <= :changed_within
    OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'transfer')
    OR r.metadata_payment_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'payment')
    OR r.metadata_user_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'user')
    OR r.charge_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'charge');
