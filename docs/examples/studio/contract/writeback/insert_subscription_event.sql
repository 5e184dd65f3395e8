-- Records what happened in the membership log. Adds exactly one row.
-- Parameters: user_id, plan_id, payment_id, event_type, reason, actor (text), at (timestamptz); the studio keeps no
-- old and new status or tier.
INSERT INTO studio.membership_log (member_uuid, what, offer_code, receipt_no, why, who, at)
VALUES (
    cast(:user_id AS uuid), :event_type, :plan_id, cast(:payment_id AS bigint), :reason, :actor,
    cast(:at AS timestamptz)
);
