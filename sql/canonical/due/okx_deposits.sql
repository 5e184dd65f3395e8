-- OKX deposits that changed, or whose link may have.
INSERT INTO pg_temp.due (source, account, object_id)
SELECT
    'okx_deposits',
    r.account,
    r.object_id
FROM recon.okx_deposits AS r
WHERE
    age(r.xmin) <= :changed_within
    OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'okx')
    OR r.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'hash')
    OR recon.plain_reference(r.tx_id) IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'okx')
    OR recon.plain_reference(r.tx_id) IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'hash');
