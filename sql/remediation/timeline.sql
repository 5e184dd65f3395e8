-- Everything that was done about one payment or one user, oldest first.
SELECT
    l.audit_id,
    l.at,
    l.actor,
    l.event,
    l.action_id,
    l.reason
FROM recon.audit_log AS l
WHERE l.user_ref = :user_ref OR l.payment_ref = :payment_ref
ORDER BY l.audit_id;
