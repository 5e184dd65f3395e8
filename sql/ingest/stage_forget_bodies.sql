-- Where raw JSON is no longer kept: drops the words of an older state than the row now shows.
-- noqa: disable=all
DELETE FROM recon.raw_json AS r
USING pg_temp.snapshot_stage AS s
WHERE r.provider = %(provider)s AND r.account = s.account AND r.resource = %(resource)s AND r.object_id = s.object_id;
