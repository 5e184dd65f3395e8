-- Gives up unfinished backfills of this window that began too long ago to build on what they read.
DELETE FROM recon.backfills AS b
WHERE
    b.provider = :provider AND b.account = :account AND b.resource = :resource
    AND b.window_from = :window_from AND b.window_to = :window_to
    AND b.finished_at IS NULL AND b.started_at < :expired_before;
