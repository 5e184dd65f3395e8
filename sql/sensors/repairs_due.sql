-- Which live findings may be repaired without asking anybody, and how often was it tried in this episode? And which
-- were repaired within a day without anybody judging them since?
WITH automatic AS (
    SELECT
        p.action,
        p.report
    FROM recon.policies AS p
    WHERE p.mode = 'auto' AND p.approvals = 0 AND p.action = any(cast(:kinds AS text[]))
),

own AS (
    SELECT
        o.action,
        o.report
    FROM recon.policies AS o
    WHERE o.report <> ''
),

candidates AS (
    SELECT
        f.finding_id,
        f.episode,
        f.opened_at,
        f.run_id,
        (
            SELECT count(*) FROM recon.actions AS a
            WHERE a.finding_id = f.finding_id AND a.kind = f.action AND a.state IN ('rejected', 'failed')
        ) AS attempts
    FROM recon.findings AS f
    INNER JOIN automatic AS p
        ON
            f.action = p.action
            AND p.report = coalesce(
                (SELECT o.report FROM own AS o WHERE o.action = f.action AND o.report = f.report), ''
            )
    WHERE
        f.status = 'open'
        AND f.action IS NOT NULL
        AND (cardinality(cast(:reports AS text[])) = 0 OR f.report = any(cast(:reports AS text[])))
        AND coalesce(f.evidence ->> 'repairable', 'true') <> 'false'
        AND coalesce(f.evidence ->> 'needs_person', 'false') <> 'true'
        AND NOT EXISTS (
            SELECT 1 FROM recon.actions AS d
            WHERE
                d.finding_id = f.finding_id
                AND d.kind = f.action
                AND (d.state IN ('verified', 'applying') OR d.state = 'rejected' AND d.result ? 'by_person')
        )
    UNION ALL
    SELECT
        f.finding_id,
        f.episode,
        a.finished_at AS opened_at,
        f.run_id,
        0 AS attempts
    FROM recon.actions AS a
    INNER JOIN recon.findings AS f ON a.finding_id = f.finding_id
    WHERE
        a.state = 'verified'
        AND a.kind = any(cast(:kinds AS text[]))
        AND a.finished_at > cast(:now AS timestamptz) - INTERVAL '1' DAY
        AND a.finished_at < cast(:now AS timestamptz) - INTERVAL '1' MINUTE
        AND f.status <> 'resolved'
        AND (cardinality(cast(:reports AS text[])) = 0 OR f.report = any(cast(:reports AS text[])))
        AND f.last_seen_at <= a.finished_at
)

SELECT
    c.finding_id,
    c.episode,
    c.attempts,
    c.opened_at,
    c.run_id
FROM candidates AS c
WHERE c.attempts < :max_attempts
ORDER BY c.finding_id
LIMIT :max_rows;
