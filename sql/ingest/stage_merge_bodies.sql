-- Keeps the provider's own words of the rows just written.
-- noqa: disable=all
INSERT INTO recon.raw_json (provider, account, resource, object_id, body, read_at)
SELECT %(provider)s, s.account, %(resource)s, s.object_id, s.body, s.read_at
FROM pg_temp.snapshot_stage AS s
ON CONFLICT (provider, account, resource, object_id) DO UPDATE SET body = excluded.body, read_at = excluded.read_at;
