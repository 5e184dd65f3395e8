/*---
title: Paid twice
why: >-
  The user paid two times for one booking, or for one period of one plan, and got it once. The second payment is owed
  back.
severity: HIGH
what_to_do: >-
  Refund the payment in this row, or extend the subscription by its period and tell the user. If the first was the
  wrong one, refund that instead.
key: [payment_id]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
params:
  grace_seconds: 300
  period_share: 0.5
  lookback_days: 180
  tolerance: 0.02
action: refund_payment
columns:
  user_id: The user.
  username: The user's name in the application.
  payment_id: The application's id of the later payment.
  provider: Who took the money.
  provider_ref: The provider's id of the later payment.
  first_payment_id: The application's id of the payment before it.
  first_provider_ref: The provider's id of the payment before it.
  plan: Name of the plan that was paid twice; empty for bookings.
  booking_id: The booking that was paid twice; empty for plans.
  amount: The later payment, in major units, as the application wrote it down.
  currency: Currency of the amount.
  paid_at: When the later one was paid (UTC).
  first_paid_at: When the one before it was paid (UTC).
  reason: Why we say so.
---*/
-- For a plan: the second payment came before period_share of the first one's period was over (renewals come near its
-- end), and the date of renewal was not moved by both. For a booking: together they are more than its price, so deposit
-- and rest are none. Refunded payments do not count. Older than lookback_days is left to the books.
WITH likely AS (
    -- Paid in the application, or paid at the provider while the application does not know it yet.
    SELECT
        p.payment_id,
        p.user_id,
        p.plan_id,
        p.booking_id,
        coalesce(p.confirmed_at, p.created_at) AS at
    FROM recon.app_payments AS p
    INNER JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment' AND m.state = 'paid'
    WHERE
        p.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
        AND p.created_at <= cast(:as_of AS timestamptz)
    UNION ALL
    SELECT
        p.payment_id,
        p.user_id,
        p.plan_id,
        p.booking_id,
        coalesce(p.confirmed_at, p.created_at) AS at
    FROM recon.app_payments AS p
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        t.state = 'paid'
        AND t.kind <> 'refund'
        AND coalesce(m.state, 'unknown') NOT IN ('paid', 'refunded')
        AND p.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
        AND p.created_at <= cast(:as_of AS timestamptz)
),

suspects AS (
    SELECT DISTINCT
        a.user_id,
        a.plan_id,
        cast(NULL AS text) AS booking_ref
    FROM likely AS a
    INNER JOIN likely AS b ON a.user_id = b.user_id AND a.plan_id = b.plan_id
    INNER JOIN recon.app_plans AS l ON a.plan_id = l.plan_id
    WHERE
        a.booking_id IS NULL
        AND b.booking_id IS NULL
        AND a.payment_id <> b.payment_id
        AND a.at <= b.at
        AND b.at < a.at + INTERVAL '1' DAY + INTERVAL '1' DAY * :period_share * CASE lower(l.period)
            WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 31 WHEN 'quarter' THEN 92
            WHEN 'lifetime' THEN 365000 ELSE 366
        END
    UNION
    SELECT
        a.user_id,
        NULL AS plan_id,
        cast(a.booking_id AS text) AS booking_ref
    FROM likely AS a
    WHERE a.booking_id IS NOT NULL
    GROUP BY a.user_id, a.booking_id
    HAVING count(*) > 1
),

paid AS (
    SELECT
        v.*,
        s.booking_ref,
        lag(v.payment_id) OVER (
            PARTITION BY v.user_id, s.plan_id, s.booking_ref ORDER BY v.paid_at ASC, v.payment_id ASC
        ) AS first_payment_id,
        lag(v.provider_ref) OVER (
            PARTITION BY v.user_id, s.plan_id, s.booking_ref ORDER BY v.paid_at ASC, v.payment_id ASC
        ) AS first_provider_ref,
        lag(v.paid_at) OVER (
            PARTITION BY v.user_id, s.plan_id, s.booking_ref ORDER BY v.paid_at ASC, v.payment_id ASC
        ) AS first_paid_at,
        1 + count(*) OVER (
            PARTITION BY v.user_id, s.plan_id, s.booking_ref ORDER BY v.paid_at DESC, v.payment_id DESC
        ) AS payments_since_first,
        sum(v.amount - v.amount_refunded) OVER (
            PARTITION BY v.user_id, s.plan_id, s.booking_ref, v.currency ORDER BY v.paid_at ASC, v.payment_id ASC
        ) AS paid_so_far
    FROM suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.user_id = s.user_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE
        (
            (s.booking_ref IS NULL AND v.booking_id IS NULL AND v.plan_id = s.plan_id)
            OR s.booking_ref = cast(v.booking_id AS text)
        )
        AND v.created_at <= cast(:as_of AS timestamptz)
        AND v.is_paid
        AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE)
        AND v.paid_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
)

SELECT
    p.user_id,
    u.username,
    p.payment_id,
    p.provider,
    p.provider_ref,
    p.first_payment_id,
    p.first_provider_ref,
    p.plan_name AS plan,
    p.booking_id,
    p.amount,
    p.currency,
    p.paid_at,
    p.first_paid_at,
    CASE
        WHEN p.booking_ref IS NOT NULL THEN 'the booking was paid before: together more than its price'
        ELSE 'the plan was paid before, its period had just begun, and the second payment extended nothing'
    END AS reason
FROM paid AS p
INNER JOIN recon.app_users AS u ON p.user_id = u.user_id
LEFT JOIN recon.app_bookings AS b ON p.booking_id = b.booking_id
WHERE
    p.first_payment_id IS NOT NULL
    AND NOT coalesce(u.is_internal, FALSE)
    AND p.paid_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
    AND (
        (
            p.booking_ref IS NOT NULL
            AND NOT coalesce(p.paid_so_far <= b.price * 1.01 AND p.currency = b.currency, FALSE)
        )
        OR (
            p.booking_ref IS NULL
            AND (
                p.period = 'lifetime'
                OR (
                    p.paid_at < p.first_paid_at + INTERVAL '1' DAY * :period_share * p.longest_days
                    -- All periods were given, one after the other: bought ahead, not by mistake.
                    AND NOT coalesce(
                        u.subscription_renewal_date >= p.first_paid_at
                        + INTERVAL '1' DAY * p.longest_days * (p.payments_since_first - :period_share),
                        FALSE
                    )
                )
            )
        )
    )
