-- Drops confirmations so old that no fetch begun before them can still be under way.
DELETE FROM recon.confirmations
WHERE provider = :provider AND account = :account AND resource = :resource AND newest_read_at < :before;
