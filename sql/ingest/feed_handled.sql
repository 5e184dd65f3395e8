-- Which events were dealt with already.
SELECT
    e.event_id,
    e.object_id
FROM recon.feed_events AS e
WHERE e.provider = :provider AND e.account = :account AND e.resource = :resource AND e.at >= :since;
