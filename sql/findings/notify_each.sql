-- One message a finding. The key makes a second one for the same change impossible.
INSERT INTO recon.notifications (
    dedupe_key, channel, kind, finding_id, severity, body, next_attempt_at, created_at
)
SELECT
    concat_ws(':', cast(:channel AS text), f.finding_id, cast(:kind AS text)) AS dedupe_key,
    cast(:channel AS text) AS channel,
    cast(:kind AS text) AS kind,
    f.finding_id,
    f.severity,
    cast(:frame AS jsonb) || jsonb_build_object(
        'severity', f.severity,
        'evidence', f.evidence,
        'finding_id', f.finding_id,
        'episode', f.episode,
        'opened_at', f.opened_at
    )
    || CASE
        WHEN :kind = 'resolved'
            THEN jsonb_build_object('resolved_at', f.resolved_at, 'resolution', f.resolution)
        ELSE '{}'
    END AS body,
    cast(:as_of AS timestamptz) AS next_attempt_at,
    cast(:as_of AS timestamptz) AS created_at
FROM recon.findings AS f
WHERE f.finding_id = any(:findings)
ORDER BY f.finding_id
ON CONFLICT (dedupe_key) DO NOTHING;
