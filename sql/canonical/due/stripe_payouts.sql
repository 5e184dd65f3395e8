-- Payouts that changed, or whose link may have.
INSERT INTO pg_temp.due (source, account, object_id)
SELECT
    'stripe_payouts',
    r.account,
    r.object_id
FROM recon.stripe_payouts AS r
WHERE
    age(r.xmin) <= :changed_within
    OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'transfer');
