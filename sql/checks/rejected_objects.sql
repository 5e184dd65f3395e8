-- How many objects of a resource, known by their ids, can't be read, and the last of them that came, with the reason.
SELECT
    r.object_id,
    r.reason,
    count(*) OVER () AS objects
FROM recon.rejected_objects AS r
WHERE r.provider = :provider AND r.resource = :resource AND r.object_id NOT LIKE :nameless
ORDER BY r.last_seen_at DESC, r.object_id ASC
LIMIT 1;
