-- Contract: the membership log. "left" is the studio's word for a member who cancelled.
CREATE VIEW recon.app_subscription_events AS
SELECT
    l.line_no AS event_id,
    l.member_uuid AS user_id,
    l.what AS event_type,
    cast(NULL AS text) AS old_status,
    cast(NULL AS text) AS new_status,
    cast(NULL AS text) AS old_tier,
    cast(NULL AS text) AS new_tier,
    l.offer_code AS plan_id,
    l.receipt_no AS payment_id,
    l.why AS reason,
    l.who AS actor,
    l.at AS created_at,
    (l.what IN ('left', 'changed')) AS ends_access
FROM studio.membership_log AS l;
