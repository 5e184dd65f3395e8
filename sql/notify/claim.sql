-- Takes the next notification that is due, for one sender, until the lease ends. Skipped: channels that are paused, and
-- whatever has an earlier message of the same thread still on its way (a resolution never overtakes its alert).
UPDATE recon.notifications AS n
SET
    state = 'sending',
    attempts = n.attempts + 1,
    leased_until = :leased_until
WHERE
    n.notification_id = (
        SELECT c.notification_id
        FROM recon.notifications AS c
        WHERE
            c.state IN ('pending', 'sending')
            AND c.next_attempt_at <= :now
            AND (c.state = 'pending' OR c.leased_until <= :now)
            AND c.channel = any(cast(:channels AS text[]))
            AND NOT EXISTS (
                SELECT 1 FROM recon.channel_pauses AS p
                WHERE p.channel = c.channel AND p.paused_until > :now
            )
            AND NOT EXISTS (
                SELECT 1 FROM recon.notifications AS o
                WHERE
                    o.thread_id = c.thread_id
                    AND o.channel = c.channel
                    AND o.notification_id < c.notification_id
                    AND o.state IN ('pending', 'sending')
            )
        ORDER BY c.next_attempt_at, c.notification_id
        LIMIT 1
        FOR UPDATE OF c SKIP LOCKED
    )
RETURNING
    n.notification_id,
    n.dedupe_key,
    n.channel,
    n.kind,
    n.severity,
    n.finding_id,
    n.thread_id,
    n.message_id,
    n.attempts,
    n.leased_until,
    cast(n.body AS text) AS body;
