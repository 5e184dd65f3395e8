-- What waits for its time, such as the end of quiet hours, waits no longer once something graver of its thread is due
-- in the channel: both are told as one. What failed keeps its pause.
UPDATE recon.notifications AS n
SET next_attempt_at = :now
WHERE
    n.channel = any(cast(:channels AS text[]))
    AND n.state = 'pending'
    AND n.attempts = 0
    AND n.next_attempt_at > :now
    AND EXISTS (
        SELECT 1 FROM recon.notifications AS o
        WHERE
            o.thread_id = n.thread_id
            AND o.channel = n.channel
            AND o.state = 'pending'
            AND o.next_attempt_at <= :now
            AND o.notification_id > n.notification_id
            AND array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], o.severity)
            < array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], n.severity)
    );
