-- The end of the chain.
SELECT
    l.audit_id,
    l.hash
FROM recon.audit_log AS l
ORDER BY l.audit_id DESC
LIMIT 1;
