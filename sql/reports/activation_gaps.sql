/*---
title: Paid, but without what was paid for
why: >-
  The money is in and the user has no access. Users find out first, and ask for their money back.
severity: CRITICAL
what_to_do: >-
  Apply the proposed repair activate_subscription (dry run first). If repairable is false, look the payment up at the
  provider and decide by hand. Then follow the reason: it says where the webhook was lost.
key: [user_id]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
params:
  grace_seconds: 120
  tolerance: 0.02
action: activate_subscription
columns:
  user_id: The user.
  username: The user's name in the application.
  plan: Name of the plan that was bought; empty when there is no such plan.
  payment_status: Status of the payment as the application wrote it.
  subscription_status: What the application says of the user's subscription.
  subscription_tier: Tier the user has.
  expected_tier: Tier that was bought; empty when the plan is unknown, then a person decides.
  plan_id: The plan that was bought.
  provider: Who took the money.
  provider_ref: The provider's id of the payment.
  payment_id: The application's id of the payment.
  amount: Paid, in major units, as the application wrote it down.
  currency: Currency of the amount.
  paid_at: When it was paid (UTC).
  seconds_since_payment: Seconds from then until this report.
  reason: Where the activation was lost, as far as the webhook inbox tells.
  repairable: Whether activate_subscription may be proposed without a person looking first.
---*/
-- A user who has access on another tier than was bought is a matter of wrong_tier; one who lost it to a refund that
-- failed, of refunded_access. Judged on the payments as they are now, never on a table that is refreshed at night.
WITH suspects AS (
    -- Payments of users without access, less those that lapsed by the application's own word. DISTINCT also keeps the
    -- verdicts, which cost look-ups, from being asked for anybody else.
    SELECT DISTINCT
        p.payment_id,
        u.username,
        u.subscription_status,
        u.subscription_tier,
        u.subscription_updated_at,
        u.subscription_status IN ('suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked') AS is_barred
    FROM recon.app_users AS u
    INNER JOIN recon.app_payments AS p ON u.user_id = p.user_id
    LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
    WHERE
        NOT coalesce(u.has_access, FALSE)
        AND NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
        AND p.plan_id IS NOT NULL
        AND p.booking_id IS NULL
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND (
            p.confirmed_at IS NULL
            OR lower(l.period) = 'lifetime'
            OR p.confirmed_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * CASE lower(l.period)
                WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 31 WHEN 'quarter' THEN 92 ELSE 366
            END
        )
),

paid AS (
    -- What of it is paid and still runs. Payments younger than the grace period are being processed: they neither count
    -- nor hide the one before.
    SELECT
        v.*,
        s.username,
        s.subscription_status,
        s.subscription_tier,
        s.subscription_updated_at,
        s.is_barred
    FROM suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.payment_id = s.payment_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE
        v.is_paid
        AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE)
        AND v.paid_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        AND (v.paid_until IS NULL OR v.paid_until > cast(:as_of AS timestamptz))
),

newest AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.user_id ORDER BY p.paid_at DESC, p.payment_id DESC) AS choice
    FROM paid AS p
),

lacking AS (
    SELECT n.*
    FROM newest AS n
    WHERE
        n.choice = 1
        AND NOT n.has_failed_refund
        -- Cancelled by the user since, in an application that keeps no events.
        AND NOT (
            n.paid_at < coalesce(n.subscription_updated_at, n.paid_at)
            AND coalesce(n.subscription_status, '') IN ('canceled', 'cancelled')
        )
),

events AS (
    -- A subscription that "expired" a day and more before the end of what was paid was not ended on purpose: a renewal
    -- that moved nothing. Some applications count a month as thirty days, hence the day.
    SELECT
        k.user_id,
        e.created_at,
        coalesce(e.ends_access, FALSE)
        AND NOT (
            (
                lower(e.event_type) IN ('expired', 'subscription_expired')
                OR coalesce(lower(e.new_status), '') = 'expired'
            )
            AND k.is_known_period
            AND (k.paid_until IS NULL OR e.created_at < k.paid_until - INTERVAL '25' HOUR)
        ) AS ends_access,
        coalesce(lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(k.tier), FALSE) AS gives
    FROM lacking AS k
    INNER JOIN recon.app_subscription_events AS e ON k.user_id = e.user_id AND k.paid_at < e.created_at
    WHERE e.created_at <= cast(:as_of AS timestamptz)
),

history AS (
    -- Since the payment: when access was last ended on purpose, and when what was bought was last given.
    SELECT
        e.user_id,
        max(CASE WHEN e.ends_access AND NOT e.gives THEN e.created_at END) AS ended_at,
        max(CASE WHEN e.gives THEN e.created_at END) AS given_at
    FROM events AS e
    GROUP BY e.user_id
),

gaps AS (
    SELECT k.*
    FROM lacking AS k
    LEFT JOIN history AS h ON k.user_id = h.user_id
    WHERE h.ended_at IS NULL OR h.ended_at <= h.given_at
),

webhooks AS (
    SELECT
        g.*,
        w.webhook_id,
        w.signature_valid,
        w.processing_status,
        w.error_message,
        w.created_at AS webhook_at
    FROM gaps AS g
    LEFT JOIN recon.app_webhook_logs AS w ON g.payment_id = w.payment_id
    UNION ALL
    SELECT
        g.*,
        w.webhook_id,
        w.signature_valid,
        w.processing_status,
        w.error_message,
        w.created_at AS webhook_at
    FROM gaps AS g
    INNER JOIN recon.app_webhook_logs AS w ON g.user_id = w.user_id AND g.created_at <= w.created_at
    WHERE w.payment_id IS NULL AND w.provider = g.provider
),

explained AS (
    -- The last webhook about the payment tells where the activation was lost.
    SELECT
        w.*,
        cast(:as_of AS timestamptz) - w.paid_at AS age,
        row_number() OVER (
            PARTITION BY w.user_id ORDER BY w.webhook_at DESC NULLS LAST, w.webhook_id DESC NULLS LAST
        ) AS last_webhook
    FROM webhooks AS w
)

SELECT
    g.user_id,
    g.username,
    g.plan_name AS plan,
    g.status AS payment_status,
    g.subscription_status,
    g.subscription_tier,
    g.tier AS expected_tier,
    g.plan_id,
    g.provider,
    g.provider_ref,
    g.payment_id,
    g.amount,
    g.currency,
    g.paid_at,
    cast(
        extract(DAY FROM g.age) * 86400 + extract(HOUR FROM g.age) * 3600
        + extract(MINUTE FROM g.age) * 60 + extract(SECOND FROM g.age) AS bigint
    ) AS seconds_since_payment,
    CASE
        WHEN g.known_plan_id IS NULL THEN 'unknown plan: a person must decide'
        WHEN g.is_barred THEN 'user is ' || g.subscription_status || ': a person must decide'
        WHEN g.is_disputed THEN 'payment is disputed: a person must decide'
        WHEN NOT g.is_his_alone THEN 'payment may be another user''s: a person must decide'
        WHEN g.signature_valid = FALSE THEN 'webhook refused: signature invalid'
        WHEN g.processing_status = 'failed'
            THEN 'webhook failed: ' || substring(coalesce(g.error_message, 'no error was stored'), 1, 300)
        WHEN g.processing_status IN ('received', 'processing') THEN 'webhook stuck'
        WHEN g.processing_status IS NULL THEN 'webhook never came'
        ELSE 'processed and lost'
    END AS reason,
    (
        g.tier IS NOT NULL
        AND g.is_full_price
        AND g.is_his_alone
        AND NOT g.is_disputed
        AND NOT coalesce(g.is_barred, FALSE)
        AND g.is_known_period
    ) AS repairable
FROM explained AS g
WHERE g.last_webhook = 1
