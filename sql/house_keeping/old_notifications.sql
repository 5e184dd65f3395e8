-- How many notifications ended before :before and are needed by nobody: a finding that lives keeps its messages, for
-- they are edited.
SELECT count(*) AS found
FROM recon.notifications AS n
LEFT JOIN recon.findings AS f ON n.finding_id = f.finding_id
WHERE
    n.created_at < :before
    AND n.state IN ('sent', 'routed', 'superseded')
    AND (n.finding_id IS NULL OR (f.status = 'resolved' AND f.resolved_at < :before));
