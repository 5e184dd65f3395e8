-- A resolution that was not tried yet and the return of its finding cancel out.
UPDATE recon.notifications AS n
SET state = 'superseded'
WHERE
    n.channel = any(cast(:channels AS text[]))
    AND n.state = 'pending'
    AND n.kind IN ('resolved', 'reopened')
    AND EXISTS (
        SELECT 1 FROM recon.notifications AS o
        WHERE
            o.thread_id = n.thread_id
            AND o.channel = n.channel
            AND o.state = 'pending'
            AND CASE
                WHEN n.kind = 'resolved'
                    THEN n.attempts = 0 AND o.kind = 'reopened' AND o.notification_id > n.notification_id
                ELSE o.attempts = 0 AND o.kind = 'resolved' AND o.notification_id < n.notification_id
            END
    );
