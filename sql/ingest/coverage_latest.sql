-- The newest certificate of each resource of each account.
SELECT DISTINCT ON (c.provider, c.account, c.resource)
    c.coverage_id,
    c.provider,
    c.account,
    c.livemode,
    c.resource,
    c.mode,
    c.window_from,
    c.window_to,
    c.as_of,
    c.pages,
    c.objects,
    c.rows_written,
    c.rejected,
    c.complete,
    c.error,
    c.run_id,
    c.started_at,
    c.finished_at
FROM recon.coverage AS c
ORDER BY c.provider ASC, c.account ASC, c.resource ASC, c.coverage_id DESC;
