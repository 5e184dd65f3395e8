-- Up to when did the last summary before this one tell?
SELECT max(n.created_at) AS told_until
FROM recon.notifications AS n
WHERE n.channel = '*' AND n.kind = 'summary' AND n.created_at < :as_of AND n.dedupe_key LIKE 'summary:%';
