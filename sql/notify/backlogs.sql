-- Of which reports do so many messages wait for so long in a channel that one digest tells more? Left out: threads of
-- which something is shown, or on its way, or kept a place for; those are edited one by one.
SELECT
    n.channel,
    n.body ->> 'report' AS report,
    array_agg(n.notification_id ORDER BY n.notification_id) AS notifications
FROM recon.notifications AS n
WHERE
    n.channel = any(cast(:channels AS text[]))
    AND n.state = 'pending'
    AND n.kind IN ('opened', 'risen', 'woken', 'reopened', 'resolved')
    AND n.created_at <= :older_than
    AND (n.attempts > 0 OR n.next_attempt_at <= :now)
    AND NOT EXISTS (
        SELECT 1 FROM recon.notifications AS o
        WHERE
            o.thread_id = n.thread_id
            AND o.channel = n.channel
            AND (o.state = 'sending' OR (o.message_id IS NOT NULL AND o.state <> 'superseded'))
    )
GROUP BY n.channel, n.body ->> 'report'
HAVING count(DISTINCT n.thread_id) > :most;
