-- What waits in the outbox for one of these channels, or for all (channel *), and may be sent now? Paused channels are
-- left alone.
SELECT
    count(*) AS waiting,
    coalesce(min(n.notification_id), 0) AS oldest_id,
    coalesce(max(n.notification_id), 0) AS newest_id,
    coalesce(sum(n.attempts), 0) AS attempts,
    coalesce(min(n.next_attempt_at), :now) AS due_since,
    coalesce(max(n.next_attempt_at), :now) AS newest_due
FROM recon.notifications AS n
WHERE
    n.state IN ('pending', 'sending')
    AND n.next_attempt_at <= :now
    AND (n.state = 'pending' OR n.leased_until <= :now)
    AND (n.channel = '*' OR n.channel = any(cast(:channels AS text[])))
    AND NOT EXISTS (
        SELECT 1 FROM recon.channel_pauses AS p
        WHERE p.channel = n.channel AND p.paused_until > :now
    );
