-- One notification a finding, for all channels. The key makes a second one for the same change impossible; what can
-- happen again in one episode carries its time, and a rise what it rose to. edit_only: for channels that can edit.
INSERT INTO recon.notifications (
    dedupe_key, channel, kind, finding_id, thread_id, severity, body, next_attempt_at, created_at
)
SELECT
    concat_ws(
        ':',
        f.finding_id,
        cast(:kind AS text),
        CASE
            WHEN :kind IN ('acknowledged', 'snoozed', 'woken') THEN extract(EPOCH FROM cast(:as_of AS timestamptz))
        END,
        CASE WHEN :kind = 'risen' OR :edit_only THEN f.severity END
    ) AS dedupe_key,
    '*' AS channel,
    cast(:kind AS text) AS kind,
    f.finding_id,
    coalesce(f.thread_id, f.finding_id) AS thread_id,
    f.severity,
    cast(:frame AS jsonb) || jsonb_build_object(
        'severity', f.severity,
        'evidence', f.evidence,
        'finding_id', f.finding_id,
        'episode', f.episode,
        'opened_at', f.opened_at,
        'status', f.status
    )
    || CASE
        WHEN :kind = 'resolved'
            THEN jsonb_build_object(
                'resolved_at', f.resolved_at, 'resolution', f.resolution, 'resolved_how', f.resolved_how
            )
        WHEN :kind IN ('acknowledged', 'snoozed')
            THEN jsonb_strip_nulls(
                jsonb_build_object(
                    'handled_by', f.handled_by, 'handled_reason', f.handled_reason, 'snoozed_until', f.snoozed_until
                )
            )
        ELSE '{}'
    END
    || CASE WHEN :edit_only THEN jsonb_build_object('edit_only', TRUE) ELSE '{}' END AS body,
    cast(:as_of AS timestamptz) AS next_attempt_at,
    cast(:as_of AS timestamptz) AS created_at
FROM recon.findings AS f
WHERE f.finding_id = any(:findings)
ORDER BY f.finding_id
ON CONFLICT (dedupe_key) DO NOTHING;
