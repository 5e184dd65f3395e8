-- An object that moved over a page border came twice: keep the later reading.
DELETE FROM pg_temp.snapshot_stage AS a
USING pg_temp.snapshot_stage AS b
WHERE a.object_id = b.object_id AND (a.read_at, a.arrival) < (b.read_at, b.arrival);
