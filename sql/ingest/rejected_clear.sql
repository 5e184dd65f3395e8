-- An object that can be read again, or is gone, is no longer rejected; unless it could not be read even later.
-- noqa: disable=all
DELETE FROM recon.rejected_objects AS r
USING unnest(%(ids)s::text[], %(read_at)s::timestamptz[]) AS g (object_id, read_at)
WHERE
    r.provider = %(provider)s AND r.resource = %(resource)s AND r.account = %(account)s
    AND r.object_id = g.object_id AND r.last_seen_at <= g.read_at;
