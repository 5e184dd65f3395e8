-- How many messages wait, by whether their channel is configured; those for all channels wait as long as there is one.
SELECT
    count(*) FILTER (
        WHERE n.channel = any(cast(:channels AS text[]))
        OR (n.channel = '*' AND cardinality(cast(:channels AS text[])) > 0)
    ) AS waiting,
    count(*) FILTER (
        WHERE n.channel <> all(cast(:channels AS text[]))
        AND NOT (n.channel = '*' AND cardinality(cast(:channels AS text[])) > 0)
    ) AS unconfigured
FROM recon.notifications AS n
WHERE n.state IN ('pending', 'sending');
