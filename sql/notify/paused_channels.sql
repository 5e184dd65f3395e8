-- Channels that wait, and until when, of those that still have something to send.
SELECT
    p.channel,
    p.paused_until,
    p.failures,
    p.reason
FROM recon.channel_pauses AS p
WHERE
    p.channel = any(cast(:channels AS text[]))
    AND p.paused_until > :now
    AND EXISTS (
        SELECT 1 FROM recon.notifications AS n
        WHERE n.channel = p.channel AND n.state = 'pending'
    )
ORDER BY p.paused_until;
