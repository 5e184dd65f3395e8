-- Of which reports does one digest tell more than so many messages? Of those of which too many wait for too long in a
-- channel; and, where a storm waits there, of those with more than a handful, at once. Left out: threads of which
-- something is shown, or on its way, or kept a place for; those are edited one by one.
WITH waiting AS (
    SELECT
        n.channel,
        n.notification_id,
        n.thread_id,
        n.body ->> 'report' AS report,
        n.created_at <= :older_than AS is_late,
        count(*) OVER (PARTITION BY n.channel) > :storm AS is_storm
    FROM recon.notifications AS n
    WHERE
        n.channel = any(cast(:channels AS text[]))
        AND n.state = 'pending'
        AND n.kind IN ('opened', 'risen', 'woken', 'reopened', 'resolved')
        AND (n.attempts > 0 OR n.next_attempt_at <= :now)
        AND NOT EXISTS (
            SELECT 1 FROM recon.notifications AS o
            WHERE
                o.thread_id = n.thread_id
                AND o.channel = n.channel
                AND (o.state = 'sending' OR (o.message_id IS NOT NULL AND o.state <> 'superseded'))
        )
)

SELECT
    w.channel,
    w.report,
    array_agg(w.notification_id ORDER BY w.notification_id) AS notifications
FROM waiting AS w
WHERE w.is_late OR w.is_storm
GROUP BY w.channel, w.report, w.is_storm
HAVING count(DISTINCT w.thread_id) > CASE WHEN w.is_storm THEN cast(:handful AS integer) ELSE :most END;
