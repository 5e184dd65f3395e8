-- Payments whose repeated deposits take their link from them.
INSERT INTO pg_temp.changed_keys (kind, key)
SELECT
    'parent',
    n.object_id
FROM recon.nowpayments_payments AS n
WHERE
    age(n.xmin) <= :changed_within
    OR n.order_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'payment');
