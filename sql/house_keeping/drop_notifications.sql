-- Drop notifications that ended before :before and are needed by nobody.
DELETE FROM recon.notifications AS n
WHERE
    n.created_at < :before
    AND n.state IN ('sent', 'routed', 'superseded')
    AND (
        n.finding_id IS NULL
        OR EXISTS (
            SELECT 1 FROM recon.findings AS f
            WHERE f.finding_id = n.finding_id AND f.status = 'resolved' AND f.resolved_at < :before
        )
    );
