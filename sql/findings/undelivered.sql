-- Which channels have messages that were given up: how many, since when, and why the newest?
SELECT
    n.channel,
    count(*) AS messages,
    min(n.created_at) AS oldest,
    (array_agg(n.last_error ORDER BY n.notification_id DESC))[1] AS reason
FROM recon.notifications AS n
WHERE n.state = 'dead'
GROUP BY n.channel
ORDER BY n.channel;
