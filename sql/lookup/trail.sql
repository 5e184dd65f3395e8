-- What people and repairs did about this user or these payments, oldest first.
SELECT
    l.audit_id,
    l.at,
    l.actor,
    l.event,
    l.action_id,
    l.finding_id,
    l.reason
FROM recon.audit_log AS l
WHERE
    (cast(:user_ref AS text) IS NOT NULL AND l.user_ref = :user_ref)
    OR l.payment_ref = any(:payments)
ORDER BY l.audit_id;
