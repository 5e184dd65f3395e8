-- As of when a report's findings were last opened, seen or resolved.
SELECT max(greatest(f.opened_at, f.last_seen_at, f.resolved_at)) AS newest
FROM recon.findings AS f
WHERE f.report = :report;
