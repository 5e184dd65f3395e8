-- Which actions wait to be carried out: approved ones of these kinds, and those of any kind that somebody began and did
-- not end, once nobody has them to himself any more?
SELECT
    a.action_id,
    a.attempts,
    coalesce(a.intended_at, a.proposed_at) AS since
FROM recon.actions AS a
WHERE
    (a.state = 'approved' AND a.kind = any(cast(:kinds AS text[])))
    OR (a.state = 'applying' AND coalesce(a.leased_until, '-infinity') <= clock_timestamp())
ORDER BY a.action_id
LIMIT :max_rows;
