-- The end of the audit trail: told outside the database, it shows later whether rows were cut off.
SELECT
    l.audit_id,
    l.hash
FROM recon.audit_log AS l
ORDER BY l.audit_id DESC
LIMIT 1;
