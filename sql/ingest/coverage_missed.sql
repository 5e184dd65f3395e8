-- Adds to a sweep's certificate how many changes the feed had never told.
UPDATE recon.coverage AS c
SET missed_by_feed = :missed
WHERE c.coverage_id = :coverage_id;
