-- NOWPayments payments that changed, or whose link or whose parent's may have.
INSERT INTO pg_temp.due (source, account, object_id)
SELECT
    'nowpayments_payments',
    r.account,
    r.object_id
FROM recon.nowpayments_payments AS r
WHERE
    age(r.xmin) <= :changed_within
    OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'nowpayments')
    OR r.parent_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'nowpayments')
    OR r.invoice_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'nowpayments')
    OR r.order_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'payment')
    OR r.parent_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'parent');
