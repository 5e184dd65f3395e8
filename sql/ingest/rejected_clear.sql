-- An object that can be read again, or is gone, is no longer rejected.
-- noqa: disable=all
DELETE FROM recon.rejected_objects AS r
WHERE
    r.provider = %(provider)s AND r.resource = %(resource)s AND r.account = %(account)s
    AND r.object_id = ANY(%(ids)s) AND r.last_seen_at <= %(read_at)s;
