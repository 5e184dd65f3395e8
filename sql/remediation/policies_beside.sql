-- Versions of policies and limits that no row of the audit trail tells of: changed by SQL, past the commands.
WITH told AS (
    SELECT cast(n.version AS bigint) AS policy_version_id
    FROM recon.audit_log AS l
    CROSS JOIN LATERAL jsonb_array_elements_text(l.details -> 'versions') AS n (version)
    WHERE l.event IN ('policy.changed', 'policy.recorded') AND jsonb_typeof(l.details -> 'versions') = 'array'
)

SELECT
    v.policy_version_id,
    v.changed_table,
    v.change,
    v.at,
    v.database_user,
    v.before,
    v.after
FROM recon.policy_versions AS v
LEFT JOIN told AS t ON v.policy_version_id = t.policy_version_id
WHERE NOT v.is_shipped AND t.policy_version_id IS NULL
ORDER BY v.policy_version_id;
