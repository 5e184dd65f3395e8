-- For how many seconds more does whoever carries out an action have it to himself?
SELECT extract(EPOCH FROM a.leased_until - clock_timestamp()) AS seconds
FROM recon.actions AS a
WHERE a.action_id = :action_id;
