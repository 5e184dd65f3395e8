-- How many findings are live, of those that are asked for.
SELECT count(*)
FROM recon.findings AS f
WHERE
    f.status <> 'resolved'
    AND (cast(:report AS text) IS NULL OR f.report = :report)
    AND (cast(:severity AS text) IS NULL OR f.severity = :severity)
    AND (cast(:user AS text) IS NULL OR f.user_ref = :user);
