-- Contract: what happened to a user's subscription, and who did it.
-- ends_access is true where the event itself took access away on purpose (cancelled, expired, revoked, suspended).
CREATE VIEW recon.app_subscription_events AS
SELECT
    e.id AS event_id,
    e.user_id,
    btrim(e.event_type) AS event_type,
    btrim(e.old_status) AS old_status,
    btrim(e.new_status) AS new_status,
    btrim(e.old_tier) AS old_tier,
    btrim(e.new_tier) AS new_tier,
    e.plan_id,
    e.payment_id,
    e.reason,
    e.actor,
    e.created_at,
    (
        lower(btrim(e.event_type)) IN (
            'canceled', 'cancelled', 'subscription_canceled', 'subscription_cancelled', 'expired',
            'subscription_expired', 'ended', 'revoked', 'refunded', 'downgraded', 'changed', 'plan_changed',
            'suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked', 'terminated', 'deactivated',
            'subscription_ended', 'customer.subscription.deleted', 'churned', 'paused'
        )
        OR lower(btrim(e.new_status)) IN (
            'canceled', 'cancelled', 'expired', 'inactive', 'revoked',
            'suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked'
        )
    ) AS ends_access
FROM public.subscription_events AS e;
