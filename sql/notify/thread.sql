-- What else a thread has in a channel: what was shown before a message, and what waits after it and is due.
SELECT
    n.notification_id,
    n.kind,
    n.severity,
    n.state,
    n.message_id,
    cast(n.body AS text) AS body
FROM recon.notifications AS n
WHERE
    n.thread_id = :thread_id
    AND n.channel = :channel
    AND n.notification_id <> :notification_id
    AND (n.state = 'sent' OR (n.state = 'pending' AND n.next_attempt_at <= :now))
ORDER BY n.notification_id;
