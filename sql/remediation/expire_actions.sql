-- Proposals that nobody took up in time.
SELECT a.action_id
FROM recon.actions AS a
WHERE a.state IN ('proposed', 'approved') AND a.expires_at <= :at
ORDER BY a.action_id;
