-- Contract: what happened to a user's subscription, and who did it.
-- ends_access is true where the event itself took access away on purpose (cancelled, expired, revoked, suspended).
CREATE VIEW recon.app_subscription_events AS
SELECT
    e.id AS event_id,
    e.user_id,
    e.event_type,
    e.old_status,
    e.new_status,
    e.old_tier,
    e.new_tier,
    e.plan_id,
    e.payment_id,
    e.reason,
    e.actor,
    e.created_at,
    (
        lower(e.event_type) IN (
            'canceled', 'cancelled', 'subscription_canceled', 'subscription_cancelled', 'expired',
            'subscription_expired', 'ended', 'revoked', 'refunded', 'downgraded', 'changed', 'plan_changed',
            'suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked', 'terminated', 'deactivated',
            'subscription_ended', 'customer.subscription.deleted', 'churned', 'paused'
        )
        OR lower(e.new_status) IN (
            'canceled', 'cancelled', 'expired', 'inactive', 'revoked',
            'suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked'
        )
    ) AS ends_access
FROM public.subscription_events AS e;
