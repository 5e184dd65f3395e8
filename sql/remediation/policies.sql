-- What may happen by itself, of each kind, or of one report's actions of a kind (report '' is every other report).
SELECT
    p.action,
    p.report,
    p.mode,
    p.approvals,
    p.max_per_run,
    p.max_per_day,
    p.expires_after,
    p.version
FROM recon.policies AS p
ORDER BY p.action, p.report;
