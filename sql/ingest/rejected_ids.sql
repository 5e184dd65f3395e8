-- Which objects could not be read so far.
-- noqa: disable=all
SELECT r.object_id
FROM recon.rejected_objects AS r
WHERE r.provider = %(provider)s AND r.resource = %(resource)s AND r.account = %(account)s;
