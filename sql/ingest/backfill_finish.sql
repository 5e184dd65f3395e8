-- Marks a backfill as done.
UPDATE recon.backfills AS b
SET finished_at = :finished_at
WHERE b.backfill_id = :backfill_id AND b.finished_at IS NULL;
