-- What was told of a finding, in which channel, oldest first.
SELECT
    n.notification_id,
    n.channel,
    n.kind,
    n.state,
    n.message_id,
    n.created_at,
    n.sent_at,
    n.last_error
FROM recon.findings AS f
INNER JOIN recon.notifications AS n
    ON n.thread_id = coalesce(f.thread_id, f.finding_id) OR n.covers @> ARRAY[f.finding_id]
WHERE f.finding_id = :finding_id
ORDER BY n.notification_id;
