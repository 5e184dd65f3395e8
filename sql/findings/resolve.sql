-- Live findings whose row is gone are over, where the provider was read well enough to say so, and the
-- object itself: by a repair, where one was made and verified, else by themselves.
UPDATE recon.findings AS f
SET
    status = 'resolved',
    snoozed_until = NULL,
    resolved_at = :as_of,
    resolved_how = CASE WHEN s.action_id IS NULL THEN 'itself' ELSE 'action' END,
    resolved_by = CASE WHEN s.action_id IS NULL THEN 'reconciliation' ELSE concat('action ', s.action_id) END,
    resolution = CASE
        WHEN s.action_id IS NULL THEN 'No longer found by the reconciliation.'
        ELSE concat('Repaired by ', s.kind, ', action ', s.action_id, '; no longer found by the reconciliation.')
    END
FROM (
    SELECT
        l.finding_id,
        a.action_id,
        a.kind
    FROM recon.findings AS l
    LEFT JOIN LATERAL (
        SELECT
            x.action_id,
            x.kind
        FROM recon.actions AS x
        WHERE x.finding_id = l.finding_id AND x.state = 'verified'
        ORDER BY x.action_id DESC
        LIMIT 1
    ) AS a ON TRUE
    WHERE
        l.report = :report
        AND l.status <> 'resolved'
        AND (cast(:key AS text) IS NULL OR l.fingerprint = md5(cast(:key AS text)))
        AND NOT EXISTS (SELECT 1 FROM report_rows AS r WHERE r.fingerprint = l.fingerprint)
        AND NOT EXISTS (
            SELECT 1 FROM unreadable_refs AS u
            WHERE u.provider = l.provider AND u.ref = l.evidence ->> 'provider_ref'
        )
        AND NOT CASE WHEN l.provider IS NULL THEN :any_untrusted ELSE l.provider = any(:untrusted) END
) AS s
WHERE f.finding_id = s.finding_id
RETURNING f.finding_id, f.resolved_how = 'action' AS repaired;
