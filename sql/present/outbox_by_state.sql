-- How many notifications there are, by state.
SELECT
    n.state,
    count(*) AS notifications
FROM recon.notifications AS n
GROUP BY n.state
ORDER BY n.state;
