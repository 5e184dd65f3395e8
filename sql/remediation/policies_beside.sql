-- Versions of policies and limits that no row of the audit trail tells of: changed by SQL, past the commands.
SELECT
    v.policy_version_id,
    v.changed_table,
    v.change,
    v.at,
    v.database_user,
    v.before,
    v.after
FROM recon.policy_versions AS v
WHERE
    NOT v.is_shipped
    AND NOT EXISTS (
        SELECT 1 FROM recon.audit_log AS l
        WHERE
            l.event IN ('policy.changed', 'policy.recorded')
            AND l.details -> 'versions' @> to_jsonb(v.policy_version_id)
    )
ORDER BY v.policy_version_id;
