-- Keeps the provider's own words of objects that were not stored before.
-- noqa: disable=all
INSERT INTO recon.raw_json (provider, account, resource, object_id, body, read_at)
SELECT %(provider)s, s.account, %(resource)s, s.object_id, s.body, s.read_at
FROM pg_temp.snapshot_stage AS s;
