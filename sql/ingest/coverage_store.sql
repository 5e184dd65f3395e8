-- Writes the certificate of one fetch.
INSERT INTO recon.coverage (
    provider, account, livemode, resource, mode, window_from, window_to, as_of, pages, objects, rows_written,
    rejected, complete, error, run_id, started_at, finished_at, missed_by_feed, reach_from, owed_from
) VALUES (
    :provider, :account, :livemode, :resource, :mode, :window_from, :window_to, :as_of, :pages, :objects,
    :rows_written, :rejected, :complete, :error, :run_id, :started_at, :finished_at, :missed_by_feed,
    :reach_from, :owed_from
) RETURNING coverage_id;
