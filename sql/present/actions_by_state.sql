-- How many repairs there are, by state.
SELECT
    a.state,
    count(*) AS actions
FROM recon.actions AS a
GROUP BY a.state
ORDER BY a.state;
