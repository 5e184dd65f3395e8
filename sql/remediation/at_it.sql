-- Which other action has asked, or will ask, something of the same object of the provider.
SELECT a.action_id
FROM recon.actions AS a
WHERE a.state = 'applying' AND a.action_id <> :action_id AND a.intent ->> 'object_id' = :object_id
ORDER BY a.action_id
LIMIT 1;
