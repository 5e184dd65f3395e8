-- Moves the watermark of one resource forward; of two runs at once the further one stays. A null moves nothing.
INSERT INTO recon.watermarks AS w (provider, account, resource, listed_to, told_to, run_id, moved_at)
VALUES (:provider, :account, :resource, :listed_to, :told_to, :run_id, :moved_at)
ON CONFLICT (provider, account, resource) DO UPDATE SET
    listed_to = greatest(w.listed_to, excluded.listed_to),
    told_to = greatest(w.told_to, excluded.told_to),
    run_id = excluded.run_id,
    moved_at = excluded.moved_at;
