-- What has waited for too long for a channel that is no longer configured is told by the next one: the first in the
-- order of configuration that is not down. It waits there no more. The key is the one that routing gives.
WITH channels AS (
    SELECT
        c.name,
        c.place,
        c.summary,
        c.edits,
        coalesce(p.gone OR p.since <= cast(:now AS timestamptz) - cast(:patience AS interval), FALSE) AS down
    FROM jsonb_to_recordset(cast(:routes AS jsonb)) AS c (name text, place integer, summary boolean, edits boolean)
    LEFT JOIN recon.channel_pauses AS p ON c.name = p.channel
),

heir AS (
    SELECT c.*
    FROM channels AS c
    ORDER BY c.down, c.place
    LIMIT 1
),

left_over AS (
    UPDATE recon.notifications AS n
    SET
        state = 'superseded',
        leased_until = NULL
    WHERE
        n.channel <> '*'
        AND n.channel NOT IN (SELECT c.name FROM channels AS c)
        AND (n.state = 'pending' OR (n.state = 'sending' AND n.leased_until <= cast(:now AS timestamptz)))
        AND n.created_at <= cast(:now AS timestamptz) - cast(:patience AS interval)
        AND (n.severity IN ('CRITICAL', 'HIGH') OR n.next_attempt_at <= cast(:now AS timestamptz))
    RETURNING n.*
)

INSERT INTO recon.notifications (
    dedupe_key, channel, kind, finding_id, thread_id, severity, body, covers, next_attempt_at, created_at
)
SELECT
    concat(h.name, substr(n.dedupe_key, length(n.channel) + 1)) AS dedupe_key,
    h.name AS channel,
    n.kind,
    n.finding_id,
    n.thread_id,
    n.severity,
    n.body || jsonb_build_object('instead_of', n.channel) AS body,
    n.covers,
    greatest(
        cast(:now AS timestamptz),
        CASE WHEN n.severity IN ('MEDIUM', 'LOW') THEN cast(:quiet_until AS timestamptz) END
    ) AS next_attempt_at,
    n.created_at
FROM left_over AS n
CROSS JOIN heir AS h
WHERE
    CASE
        WHEN n.kind = 'summary' THEN h.summary
        ELSE h.edits OR (n.kind NOT IN ('acknowledged', 'snoozed') AND NOT n.body ? 'edit_only')
    END
ORDER BY n.notification_id
ON CONFLICT (dedupe_key) DO NOTHING;
