-- Drops events that no later reading of the feed will show again.
DELETE FROM recon.feed_events AS e
WHERE e.provider = :provider AND e.account = :account AND e.resource = :resource AND e.at < :before;
