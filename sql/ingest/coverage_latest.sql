-- What is each resource of each account worth now: its newest certificate, with failures that nothing made good yet.
SELECT
    s.coverage_id,
    s.provider,
    s.account,
    s.livemode,
    s.resource,
    s.mode,
    s.window_from,
    s.window_to,
    s.as_of,
    s.pages,
    s.objects,
    s.rows_written,
    s.rejected,
    s.complete,
    s.error,
    s.run_id,
    s.started_at,
    s.finished_at,
    s.missed_by_feed
FROM recon.coverage_standing AS s
ORDER BY s.provider, s.account, s.resource;
