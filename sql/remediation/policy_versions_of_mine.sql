-- Which versions of policies and limits this transaction has written, for its audit row.
SELECT v.policy_version_id
FROM recon.policy_versions AS v
WHERE v.xmin = cast(pg_current_xact_id() AS xid)
ORDER BY v.policy_version_id;
