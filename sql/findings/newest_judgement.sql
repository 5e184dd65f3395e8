-- As of when a report's findings were last opened, seen or resolved; what a person did is no judgement of the report.
SELECT max(greatest(f.opened_at, f.last_seen_at, CASE WHEN f.resolved_how <> 'person' THEN f.resolved_at END)) AS newest
FROM recon.findings AS f
WHERE f.report = :report;
