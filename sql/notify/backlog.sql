-- How many messages wait, by whether their channel is configured.
SELECT
    count(*) FILTER (WHERE n.channel = any(cast(:channels AS text[]))) AS waiting,
    count(*) FILTER (WHERE n.channel <> all(cast(:channels AS text[]))) AS unconfigured
FROM recon.notifications AS n
WHERE n.state IN ('pending', 'sending');
