-- Contract: members with their membership. Nobody has trials or overrides at the studio.
CREATE VIEW recon.app_users AS
SELECT
    m.member_uuid AS user_id,
    m.nick AS username,
    m.mail AS email,
    CASE WHEN coalesce(s.is_live, FALSE) THEN 'active' ELSE 'inactive' END AS subscription_status,
    coalesce(s.is_live, FALSE) AS has_access,
    coalesce(o.level, 'free') AS subscription_tier,
    s.offer_code AS plan_id,
    s.paid_last AS last_payment_date,
    s.runs_until AS payment_due_date,
    s.runs_until AS subscription_renewal_date,
    s.touched AS subscription_updated_at,
    m.stripe_cus AS stripe_customer_id,
    cast(NULL AS timestamptz) AS trial_ends_at,
    cast(NULL AS timestamptz) AS access_override_until,
    m.staff AS is_internal,
    m.joined AS created_at,
    coalesce(s.touched, m.joined) AS updated_at
FROM studio.members AS m
LEFT JOIN studio.memberships AS s ON m.member_uuid = s.member_uuid
LEFT JOIN studio.offers AS o ON s.offer_code = o.code;
