-- The certificates by which a finding was believed when it was opened.
SELECT
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
    c.complete,
    c.started_at,
    c.finished_at,
    c.run_id
FROM recon.findings AS f
INNER JOIN recon.coverage AS c ON c.coverage_id = any(f.coverage_ids)
WHERE f.finding_id = :finding_id
ORDER BY c.provider, c.account, c.resource;
