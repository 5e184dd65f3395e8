/*---
title: Renewal that was paid and did not extend
why: >-
  The user paid for a new period and the application still ends access with the old one: at that date a paying user is
  shut out, or is asked for money again.
severity: HIGH
what_to_do: >-
  Move the date of renewal to runs_until, and look why the webhook of the payment did not: the dates before and after
  tell whether it came.
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
  grace_seconds: 300
  slack_hours: 25
  period_share: 0.5
  tolerance: 0.02
action: null
columns:
  user_id: The user.
  username: The user's name in the application.
  plan: Name of the plan that was bought last.
  subscription_tier: Tier the user has, the same that was bought.
  provider: Who took the money.
  provider_ref: The provider's id of the payment that gives the later end.
  payment_id: The application's id of that payment.
  amount: Paid, in major units, as the application wrote it down.
  currency: Currency of the amount.
  paid_at: When it was paid (UTC).
  runs_until: Until when the user has paid (UTC); empty for lifetime plans.
  renewal_at: When the application will end access or ask for money (UTC).
  days_short: Whole days between the two; empty for lifetime plans.
  reason: Why we say so.
---*/
-- A period runs from its payment: an application that adds a renewal paid early to the end of the one before gives
-- more, and is right as well. slack_hours: a day, because some applications count a month as thirty days, and an hour;
-- twice that of a quarter, which they count as ninety.
-- Less than the price, paid while another plan's period ran, is the difference to a better plan until that period ends,
-- where it is no more than the two plans differ by over that period: a year with a coupon is a year.
-- Paid again before period_share of the period was over is no renewal: a matter of duplicate_payments.
-- Access that is gone already is a matter of activation_gaps, another tier of wrong_tier.
WITH holders AS (
    -- Who has access until some day, in the order of the payments' index, so that the two are merged. The limit is a
    -- fence: their tier is put in lower case once, not once a payment.
    SELECT
        u.user_id,
        u.username,
        u.subscription_tier,
        lower(u.subscription_tier) AS tier_word,
        coalesce(u.subscription_renewal_date, u.payment_due_date) AS renewal_at
    FROM recon.app_users AS u
    WHERE
        u.has_access
        AND NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
        AND coalesce(u.subscription_renewal_date, u.payment_due_date) IS NOT NULL
    ORDER BY u.user_id
    LIMIT 1000000000000
),

suspects AS (
    -- Whose date of renewal lies before the end of something that one of their payments may have bought.
    SELECT DISTINCT h.*
    FROM holders AS h
    INNER JOIN recon.app_payments AS p ON h.user_id = p.user_id
    LEFT JOIN recon.plan_terms AS l ON p.plan_id = l.plan_id
    WHERE
        p.booking_id IS NULL
        AND p.created_at <= cast(:as_of AS timestamptz)
        -- Not simply equal, because then plans and users of a tier would be joined first.
        AND coalesce(h.tier_word = l.tier_word, FALSE)
        AND (
            p.confirmed_at IS NULL
            OR l.is_lifetime
            OR p.confirmed_at + INTERVAL '1' DAY * l.longest_days > h.renewal_at + INTERVAL '1' HOUR * :slack_hours
        )
),

bought AS (
    SELECT
        v.*,
        s.username,
        s.subscription_tier,
        s.renewal_at
    FROM suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.user_id = s.user_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE
        v.plan_id IS NOT NULL
        AND v.booking_id IS NULL
        AND v.created_at <= cast(:as_of AS timestamptz)
        -- What went back after as_of counted then, as far as is known what the user had.
        AND (
            v.is_paid
            OR (v.counted_from <= cast(:as_of AS timestamptz) AND v.counted_until > cast(:as_of AS timestamptz))
        )
        AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE)
        AND v.paid_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
),

running AS (
    SELECT b.*
    FROM bought AS b
    WHERE
        (b.paid_until IS NULL OR b.paid_until > cast(:as_of AS timestamptz))
        AND NOT EXISTS (
            SELECT 1 FROM bought AS o
            WHERE
                o.user_id = b.user_id
                AND o.plan_id = b.plan_id
                AND (o.paid_at < b.paid_at OR (o.paid_at = b.paid_at AND o.payment_id < b.payment_id))
                AND b.paid_at < o.paid_at + INTERVAL '1' DAY * o.longest_days * :period_share
        )
),

newest AS (
    SELECT
        r.*,
        row_number() OVER (PARTITION BY r.user_id ORDER BY r.paid_at DESC, r.payment_id DESC) AS choice
    FROM running AS r
),

longest AS (
    -- On the tier that was bought last: which of the payments for it runs longest?
    SELECT
        r.*,
        row_number() OVER (
            PARTITION BY r.user_id ORDER BY r.paid_until DESC NULLS FIRST, r.paid_at DESC, r.payment_id DESC
        ) AS place
    FROM newest AS n
    INNER JOIN running AS r ON n.user_id = r.user_id AND lower(n.tier) = lower(r.tier)
    WHERE n.choice = 1 AND lower(n.tier) = lower(n.subscription_tier) AND n.is_known_period AND r.is_known_period
),

short AS (
    SELECT
        g.*,
        g.paid_until - g.renewal_at AS lacking
    FROM longest AS g
    WHERE
        g.place = 1
        AND (
            g.paid_until IS NULL
            OR g.paid_until > g.renewal_at + INTERVAL '1' HOUR * :slack_hours
            * CASE WHEN g.period = 'quarter' THEN 2 ELSE 1 END
        )
)

SELECT
    s.user_id,
    s.username,
    s.plan_name AS plan,
    s.subscription_tier,
    s.provider,
    s.provider_ref,
    s.payment_id,
    s.amount,
    s.currency,
    s.paid_at,
    s.paid_until AS runs_until,
    s.renewal_at,
    cast(extract(DAY FROM s.lacking) AS bigint) AS days_short,
    CASE
        WHEN s.paid_until IS NULL THEN 'paid for life, but the application ends it'
        WHEN s.renewal_at <= s.paid_at THEN 'the date of renewal is older than the payment: it was never extended'
        ELSE 'the date of renewal lies before the end of what was paid'
    END AS reason
FROM short AS s
WHERE NOT EXISTS (
    SELECT 1
    FROM bought AS d
    WHERE
        d.user_id = s.user_id
        AND d.plan_id <> s.plan_id
        AND d.paid_at < s.paid_at
        AND d.paid_until > s.paid_at
        AND s.amount < s.price
        AND s.currency = s.price_currency
        AND s.price_a_day IS NOT NULL
        AND coalesce(
            CASE
                WHEN d.price_currency = s.price_currency
                    THEN s.amount <= (s.price_a_day - d.price_a_day) * d.longest_days * (1 + :tolerance)
            END,
            TRUE
        )
        AND d.paid_until <= s.renewal_at + INTERVAL '1' HOUR * :slack_hours
)
AND NOT EXISTS (
    -- The user cancelled or changed the plan since, and what was bought was not given again.
    SELECT 1
    FROM recon.app_subscription_events AS e
    WHERE
        e.user_id = s.user_id
        AND e.created_at > s.bought_at
        AND e.created_at <= cast(:as_of AS timestamptz)
        AND e.ends_access
        AND NOT coalesce(
            lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(s.tier), FALSE
        )
        AND NOT EXISTS (
            SELECT 1
            FROM recon.app_subscription_events AS g
            WHERE
                g.user_id = s.user_id
                AND g.created_at >= e.created_at
                AND lower(g.new_status) IN ('active', 'trialing')
                AND lower(g.new_tier) = lower(s.tier)
        )
)
