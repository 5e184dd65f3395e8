-- The whole chain, in order.
SELECT
    l.audit_id,
    l.at,
    l.actor,
    l.event,
    l.action_id,
    l.finding_id,
    l.user_ref,
    l.payment_ref,
    l.reason,
    l.before,
    l.after,
    l.details,
    l.previous_hash,
    l.hash
FROM recon.audit_log AS l
ORDER BY l.audit_id;
