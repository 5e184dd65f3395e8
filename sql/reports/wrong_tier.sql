/*---
title: On another tier than was bought
why: >-
  The user has access, and not to what the newest payment bought: an upgrade that was paid and never given, or more than
  was paid for.
severity: HIGH
what_to_do: >-
  Apply the proposed repair activate_subscription (dry run first). If repairable is false a person decides: other paid
  time would be cut short, the plan is not known, or the payment is in doubt.
key: [user_id]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
intraday: touched
touched:
  by: user
  relations: [holders.u]
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
  runs_until: When the period that was bought ends (UTC); empty for lifetime plans.
  reason: Why we say so.
  repairable: Whether activate_subscription may be proposed without a person looking first.
  severity: MEDIUM where only the plan is unknown, else HIGH.
---*/
-- Only the newest payment whose period runs counts: a user who bought another plan since is on that. Who has no access
-- at all is a matter of activation_gaps; who is still on the tier of a payment that was given back, of refunded_access.
WITH holders AS (
    -- Who has access, in the order of the payments' index, so that the two are merged. The limit is a fence: their tier
    -- is put in lower case once, not once a payment.
    SELECT
        u.user_id,
        u.username,
        u.subscription_status,
        u.subscription_tier,
        u.subscription_renewal_date,
        u.trial_ends_at,
        lower(u.subscription_tier) AS tier_word
    FROM recon.app_users AS u
    WHERE
        u.has_access
        AND NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
    ORDER BY u.user_id
    LIMIT 1000000000000
),

suspects AS (
    -- Users who lack something that one of their payments may have bought: the others need no further look.
    SELECT DISTINCT h.*
    FROM holders AS h
    INNER JOIN recon.app_payments AS p ON h.user_id = p.user_id
    LEFT JOIN recon.plan_terms AS l ON p.plan_id = l.plan_id
    WHERE
        p.plan_id IS NOT NULL
        AND p.booking_id IS NULL
        AND (l.plan_id IS NULL OR h.tier_word IS DISTINCT FROM l.tier_word)
),

bought AS (
    SELECT
        v.*,
        s.username,
        s.subscription_status,
        s.subscription_tier,
        s.subscription_renewal_date,
        s.trial_ends_at,
        -- What went back after as_of counted then, as far as is known what the user had.
        (
            v.is_paid
            OR (v.counted_from <= cast(:as_of AS timestamptz) AND v.counted_until > cast(:as_of AS timestamptz))
        )
        AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE) AS counts,
        v.paid_until IS NULL OR v.paid_until > cast(:as_of AS timestamptz) AS runs
    FROM suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.user_id = s.user_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE
        v.plan_id IS NOT NULL
        AND v.booking_id IS NULL
        AND v.created_at <= cast(:as_of AS timestamptz)
        AND (v.is_paid OR v.is_returned)
),

newest AS (
    -- Payments younger than the grace period are being processed: they neither count nor hide the one before.
    SELECT
        b.*,
        row_number() OVER (PARTITION BY b.user_id ORDER BY b.paid_at DESC, b.payment_id DESC) AS choice
    FROM bought AS b
    WHERE
        b.counts
        AND b.runs
        AND b.paid_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
),

lacking AS (
    SELECT
        n.*,
        -- An activation would cut short what the user has: a time bought before on another tier, unless this is
        -- plainly the dearer of the two and runs longer, or a later date of renewal.
        EXISTS (
            SELECT 1 FROM bought AS o
            WHERE
                o.user_id = n.user_id
                AND o.payment_id <> n.payment_id
                AND o.counts
                AND o.runs
                AND lower(o.tier) IS DISTINCT FROM lower(n.tier)
                AND NOT coalesce(
                    o.price_currency = n.price_currency
                    AND o.price_a_day < n.price_a_day
                    AND (n.paid_until IS NULL OR o.paid_until <= n.paid_until),
                    FALSE
                )
        )
        OR coalesce(n.subscription_renewal_date > n.paid_until, FALSE) AS takes_away
    FROM newest AS n
    WHERE
        n.choice = 1
        AND (n.tier IS NULL OR lower(n.subscription_tier) IS DISTINCT FROM lower(n.tier))
        -- On trial of something that is not known to be less than what was bought: that follows.
        AND NOT (
            coalesce(n.subscription_status, '') = 'trialing'
            AND (n.trial_ends_at IS NULL OR n.trial_ends_at > cast(:as_of AS timestamptz))
            AND coalesce(lower(n.subscription_tier), 'free') <> 'free'
            AND NOT EXISTS (
                SELECT 1
                FROM recon.app_plans AS c
                WHERE
                    lower(c.tier) = lower(n.subscription_tier)
                    AND c.currency = n.price_currency
                    AND c.price / CASE lower(c.period)
                        WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 30 WHEN 'quarter' THEN 91
                        WHEN 'year' THEN 365
                    END
                    < n.price_a_day
            )
        )
        -- On the tier of a later payment: seconds old, over by now, or given back since.
        AND NOT EXISTS (
            SELECT 1 FROM bought AS f
            WHERE
                f.user_id = n.user_id
                AND f.paid_at > n.paid_at
                AND lower(f.tier) = lower(n.subscription_tier)
        )
),

events AS (
    SELECT
        k.user_id,
        e.created_at,
        -- Ended, or moved by a person to where the user is.
        coalesce(e.ends_access, FALSE)
        OR coalesce(
            lower(e.new_tier) = lower(k.subscription_tier)
            AND (
                lower(e.actor) LIKE 'admin%'
                OR lower(e.actor) LIKE 'support%'
                OR lower(e.actor) LIKE 'staff%'
                OR lower(e.event_type) IN ('granted', 'gifted', 'comped', 'admin_override')
            ),
            FALSE
        ) AS ends_access,
        coalesce(lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(k.tier), FALSE) AS gives
    FROM lacking AS k
    INNER JOIN recon.app_subscription_events AS e ON k.user_id = e.user_id AND k.bought_at < e.created_at
    WHERE e.created_at <= cast(:as_of AS timestamptz)
),

history AS (
    -- Since the payment: when the subscription was last changed on purpose, and when what was bought was last given.
    SELECT
        e.user_id,
        max(CASE WHEN e.ends_access AND NOT e.gives THEN e.created_at END) AS ended_at,
        max(CASE WHEN e.gives THEN e.created_at END) AS given_at
    FROM events AS e
    GROUP BY e.user_id
)

SELECT
    k.user_id,
    k.username,
    k.plan_name AS plan,
    k.status AS payment_status,
    k.subscription_status,
    k.subscription_tier,
    k.tier AS expected_tier,
    k.plan_id,
    k.provider,
    k.provider_ref,
    k.payment_id,
    k.amount,
    k.currency,
    k.paid_at,
    k.paid_until AS runs_until,
    CASE
        WHEN k.known_plan_id IS NULL THEN 'unknown plan: a person must decide'
        WHEN k.is_disputed THEN 'payment is disputed: a person must decide'
        WHEN NOT k.is_his_alone THEN 'payment may be another user''s: a person must decide'
        WHEN k.takes_away THEN 'wrong tier, but other paid time still runs: a person must decide'
        ELSE 'has ' || coalesce(k.subscription_tier, 'no tier') || ', the newest payment bought ' || k.tier
    END AS reason,
    (
        k.tier IS NOT NULL
        AND k.is_full_price
        AND k.is_his_alone
        AND NOT k.is_disputed
        AND k.is_paid
        AND NOT k.takes_away
        AND k.is_known_period
    ) AS repairable,
    CASE WHEN k.tier IS NULL THEN 'MEDIUM' ELSE 'HIGH' END AS severity
FROM lacking AS k
LEFT JOIN history AS h ON k.user_id = h.user_id
WHERE h.ended_at IS NULL OR h.ended_at <= h.given_at
