-- Open findings that name a repair; somebody looks after an acknowledged or snoozed one already.
SELECT
    f.finding_id,
    f.report,
    f.action AS kind
FROM recon.findings AS f
WHERE
    f.status = 'open'
    AND f.action IS NOT NULL
    AND coalesce(f.evidence ->> 'repairable', 'true') <> 'false'
    AND (cast(:findings AS bigint[]) IS NULL OR f.finding_id = any(cast(:findings AS bigint[])))
ORDER BY f.finding_id;
