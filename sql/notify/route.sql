-- Gives notifications that are due to every channel that wants them, and grave ones that none wants to the first.
-- A channel that has told of a thread is told of its further course, too; what only changes a message (acknowledged,
-- snoozed, edit_only) goes to channels that can edit. A resolution waits where it can't be edited in, and what is below
-- HIGH waits for the end of quiet hours where it makes a noise.
WITH channels AS (
    SELECT c.*
    FROM jsonb_to_recordset(cast(:routes AS jsonb))
        AS c (name text, place integer, gravity integer, reports jsonb, summary boolean, edits boolean)
),

due AS (
    UPDATE recon.notifications AS n
    SET state = 'routed'
    WHERE n.channel = '*' AND n.state = 'pending' AND n.next_attempt_at <= :now
    RETURNING n.*
),

wanted AS (
    SELECT
        d.*,
        c.name,
        c.place,
        c.edits,
        (
            SELECT count(*) > 0 FROM recon.notifications AS t
            WHERE t.thread_id = d.thread_id AND t.channel = c.name AND t.state NOT IN ('superseded', 'dead')
        ) AS follows,
        CASE
            WHEN d.kind = 'summary' THEN c.summary
            ELSE
                array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], d.severity) <= c.gravity
                AND (c.reports IS NULL OR coalesce(c.reports @> to_jsonb(d.body ->> 'report'), FALSE))
        END AS fits
    FROM due AS d
    CROSS JOIN channels AS c
),

taken AS (
    SELECT
        w.*,
        bool_or(w.fits OR w.follows) OVER (PARTITION BY w.notification_id) AS has_taker
    FROM wanted AS w
)

INSERT INTO recon.notifications (
    dedupe_key, channel, kind, finding_id, thread_id, severity, body, covers, next_attempt_at, created_at
)
SELECT
    concat(w.name, ':', w.dedupe_key) AS dedupe_key,
    w.name AS channel,
    w.kind,
    w.finding_id,
    w.thread_id,
    w.severity,
    w.body,
    w.covers,
    greatest(
        w.next_attempt_at,
        CASE WHEN w.kind = 'resolved' AND NOT w.edits THEN w.created_at + cast(:hold_back AS interval) END,
        CASE
            WHEN w.severity IN ('MEDIUM', 'LOW') AND NOT (w.edits AND w.follows)
                THEN cast(:quiet_until AS timestamptz)
        END
    ) AS next_attempt_at,
    w.created_at
FROM taken AS w
WHERE
    (
        w.fits
        OR w.follows
        OR (w.place = 0 AND NOT w.has_taker AND w.severity IN ('CRITICAL', 'HIGH') AND w.kind <> 'summary')
    )
    AND (w.edits OR (w.kind NOT IN ('acknowledged', 'snoozed') AND NOT w.body ? 'edit_only'))
ORDER BY w.notification_id, w.place
ON CONFLICT (dedupe_key) DO NOTHING;
