-- An object that can be read again is no longer rejected.
-- noqa: disable=all
DELETE FROM recon.rejected_objects AS r
USING pg_temp.snapshot_stage AS s
WHERE
    r.provider = %(provider)s AND r.resource = %(resource)s AND r.account = s.account AND r.object_id = s.object_id;
