-- Which objects known by id could not be read and were not asked for since a moment, those asked longest ago first.
SELECT r.object_id
FROM recon.rejected_objects AS r
WHERE
    r.provider = :provider AND r.account = :account AND r.resource = :resource
    AND r.object_id NOT LIKE :nameless AND r.last_seen_at < :before
ORDER BY r.last_seen_at, r.object_id
LIMIT :most;
