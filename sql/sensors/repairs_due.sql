-- Which live findings may be repaired without asking anybody, and how often was it tried in this episode?
WITH candidates AS (
    SELECT
        f.finding_id,
        f.episode,
        f.opened_at,
        (
            SELECT count(*) FROM recon.actions AS a
            WHERE a.finding_id = f.finding_id AND a.kind = f.action AND a.state IN ('rejected', 'failed')
        ) AS attempts
    FROM recon.findings AS f
    INNER JOIN recon.policies AS p
        ON
            f.action = p.action
            AND p.report = coalesce(
                (SELECT o.report FROM recon.policies AS o WHERE o.action = f.action AND o.report = f.report), ''
            )
    WHERE
        f.status = 'open'
        AND p.mode = 'auto'
        AND p.approvals = 0
        AND coalesce(f.evidence ->> 'repairable', 'true') <> 'false'
        AND NOT EXISTS (
            SELECT 1 FROM recon.actions AS d
            WHERE d.finding_id = f.finding_id AND d.kind = f.action AND d.state = 'verified'
        )
)

SELECT
    c.finding_id,
    c.episode,
    c.attempts,
    c.opened_at
FROM candidates AS c
WHERE c.attempts < :max_attempts
ORDER BY c.finding_id
LIMIT :max_rows;
