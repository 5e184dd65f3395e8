-- Open findings that name a repair; somebody looks after an acknowledged or snoozed one already, and what a person has
-- rejected is proposed again by people only.
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
    AND NOT EXISTS (
        SELECT 1 FROM recon.actions AS r
        WHERE r.finding_id = f.finding_id AND r.kind = f.action AND r.state = 'rejected' AND r.result ? 'by_person'
    )
ORDER BY f.finding_id;
