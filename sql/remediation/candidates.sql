-- Findings that name a repair: with their live action, and how often the repair has failed before. Without a choice of
-- findings only open ones: somebody looks after an acknowledged or snoozed one already.
SELECT
    f.finding_id,
    f.report,
    f.action AS kind,
    f.user_ref,
    f.payment_ref,
    f.evidence,
    a.action_id,
    (
        SELECT count(*) FROM recon.actions AS x
        WHERE x.finding_id = f.finding_id AND x.kind = f.action AND x.state = 'failed'
    ) AS failures
FROM recon.findings AS f
LEFT JOIN recon.actions AS a
    ON
        f.finding_id = a.finding_id
        AND f.action = a.kind
        AND a.state IN ('proposed', 'approved', 'applying')
WHERE
    f.status <> 'resolved'
    AND f.action IS NOT NULL
    AND coalesce(f.evidence ->> 'repairable', 'true') <> 'false'
    AND (
        (
            cast(:findings AS bigint[]) IS NULL
            AND f.status = 'open'
            AND NOT EXISTS (
                SELECT 1 FROM recon.actions AS r
                WHERE
                    r.finding_id = f.finding_id
                    AND r.kind = f.action
                    AND r.state = 'rejected'
                    AND r.result ? 'by_person'
            )
        )
        OR f.finding_id = any(cast(:findings AS bigint[]))
    )
ORDER BY f.finding_id;
