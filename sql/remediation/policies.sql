-- What may happen by itself.
SELECT
    p.action,
    p.mode,
    p.approvals,
    p.max_per_run
FROM recon.policies AS p;
