-- What a channel that is down has of HIGH and above is told by the next one, too: the next in the order of
-- configuration that is not down itself, whatever it wants to hear otherwise. The key is the one that routing gives.
INSERT INTO recon.notifications (
    dedupe_key, channel, kind, finding_id, thread_id, severity, body, covers, next_attempt_at, created_at
)
WITH channels AS (
    SELECT
        c.name,
        c.place,
        coalesce(p.gone OR p.since <= cast(:now AS timestamptz) - cast(:patience AS interval), FALSE) AS down
    FROM jsonb_to_recordset(cast(:routes AS jsonb)) AS c (name text, place integer)
    LEFT JOIN recon.channel_pauses AS p ON c.name = p.channel
),

heirs AS (
    SELECT DISTINCT ON (d.name)
        d.name,
        h.name AS heir
    FROM channels AS d
    INNER JOIN channels AS h ON NOT h.down
    WHERE d.down
    ORDER BY d.name ASC, h.place < d.place ASC, h.place ASC
)

SELECT
    concat(h.heir, substr(n.dedupe_key, length(n.channel) + 1)) AS dedupe_key,
    h.heir AS channel,
    n.kind,
    n.finding_id,
    n.thread_id,
    n.severity,
    n.body || jsonb_build_object('instead_of', n.channel) AS body,
    n.covers,
    cast(:now AS timestamptz) AS next_attempt_at,
    n.created_at
FROM recon.notifications AS n
INNER JOIN heirs AS h ON n.channel = h.name
WHERE
    n.state IN ('pending', 'sending', 'dead')
    AND n.severity IN ('CRITICAL', 'HIGH')
    AND n.kind NOT IN ('acknowledged', 'snoozed', 'summary')
    AND NOT n.body ? 'edit_only'
ORDER BY n.notification_id
ON CONFLICT (dedupe_key) DO NOTHING;
