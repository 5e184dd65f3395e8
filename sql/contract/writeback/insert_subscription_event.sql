-- Records what happened to the subscription, in the application's own history. Adds exactly one row.
-- Parameters: user_id, plan_id, payment_id (text), event_type, old_status, new_status, old_tier, new_tier, reason,
-- actor (text; old ones may be null), at (timestamptz, now).
INSERT INTO public.subscription_events (
    user_id, event_type, old_status, new_status, old_tier, new_tier, plan_id, payment_id, reason, actor, created_at
)
VALUES (
    :user_id, :event_type, :old_status, :new_status, :old_tier, :new_tier, :plan_id, :payment_id, :reason, :actor, :at
);
