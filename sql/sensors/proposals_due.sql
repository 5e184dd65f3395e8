-- How many live findings ask for a repair that people must approve, and have none proposed? Which is the newest?
SELECT
    count(*) AS waiting,
    max(f.finding_id) AS newest_id,
    min(f.opened_at) AS oldest_at
FROM recon.findings AS f
INNER JOIN recon.policies AS p
    ON
        f.action = p.action
        AND p.report = coalesce(
            (SELECT o.report FROM recon.policies AS o WHERE o.action = f.action AND o.report = f.report), ''
        )
WHERE
    f.status = 'open'
    AND f.action IS NOT NULL
    AND p.mode <> 'off'
    AND (
        p.mode = 'propose'
        OR p.approvals > 0
        OR f.action = any(cast(:money_kinds AS text[]))
        OR f.evidence ->> 'needs_person' = 'true'
    )
    AND coalesce(f.evidence ->> 'repairable', 'true') <> 'false'
    AND NOT EXISTS (
        SELECT 1 FROM recon.actions AS d
        WHERE
            d.finding_id = f.finding_id
            AND d.kind = f.action
            AND d.state IN ('proposed', 'approved', 'applying', 'verified')
    )
    AND NOT EXISTS (
        SELECT 1 FROM recon.actions AS r
        WHERE r.finding_id = f.finding_id AND r.kind = f.action AND r.state = 'rejected' AND r.result ? 'by_person'
    )
    AND (
        SELECT count(*) FROM recon.actions AS a
        WHERE a.finding_id = f.finding_id AND a.kind = f.action AND a.state IN ('rejected', 'failed')
    ) < :max_attempts;
