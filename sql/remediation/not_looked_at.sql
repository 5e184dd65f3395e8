-- Actions verified within a day whose finding is live and was not judged since: whoever verified them died before that.
SELECT a.action_id
FROM recon.actions AS a
INNER JOIN recon.findings AS f ON a.finding_id = f.finding_id
WHERE
    a.state = 'verified'
    AND a.finished_at > cast(:at AS timestamptz) - INTERVAL '1' DAY
    AND f.status <> 'resolved'
    AND f.last_seen_at <= a.finished_at
ORDER BY a.action_id
LIMIT 500;
