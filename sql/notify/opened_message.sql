-- Which message told that this finding was opened, if it was told by a message of its own.
SELECT
    n.message_id,
    cast(n.body AS text) AS body
FROM recon.notifications AS n
WHERE
    n.finding_id = :finding_id
    AND n.channel = :channel
    AND n.kind = 'opened'
    AND n.state = 'sent'
    AND n.message_id IS NOT NULL
ORDER BY n.notification_id DESC
LIMIT 1;
