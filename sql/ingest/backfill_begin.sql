-- Takes up the unfinished backfill of this window, or begins one; of two at once both get the same.
INSERT INTO recon.backfills AS b (
    provider, account, resource, window_from, window_to, as_of, run_id, started_at
) VALUES (:provider, :account, :resource, :window_from, :window_to, :as_of, :run_id, :started_at)
ON CONFLICT (provider, account, resource, window_from, window_to) WHERE finished_at IS NULL
DO UPDATE SET run_id = excluded.run_id
RETURNING b.backfill_id, b.started_at;
