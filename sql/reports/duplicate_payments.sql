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
  user_id: Who made the later payment; empty where the application did not write it down.
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
WITH counted AS (
    -- Paid in the application, each with the payment before it for the same plan: read in the order of an index.
    SELECT
        p.user_id,
        p.plan_id,
        coalesce(p.confirmed_at, p.created_at) AS at,
        lag(coalesce(p.confirmed_at, p.created_at)) OVER (
            PARTITION BY p.user_id, p.plan_id ORDER BY coalesce(p.confirmed_at, p.created_at) ASC
        ) AS before_at
    FROM recon.app_payments AS p
    WHERE
        p.plan_id IS NOT NULL
        AND p.booking_id IS NULL
        AND p.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
        AND p.created_at <= cast(:as_of AS timestamptz)
        -- As a CASE, so that the words are looked up on the way and the order is kept.
        AND CASE
            WHEN
                p.status IN (
                    SELECT m.raw_status
                    FROM recon.state_map AS m
                    WHERE m.provider = 'app' AND m.resource = 'app_payment' AND m.state = 'paid'
                ) THEN 1
            ELSE 0
        END <> 0
),

uncounted AS (
    -- Paid at the provider while the application does not know it yet: few, by an index of what is not simply paid.
    SELECT
        p.provider,
        p.provider_ref
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    WHERE
        t.kind IN ('payment', 'deposit')
        AND p.status NOT IN (
            'completed', 'confirmed', 'finished', 'paid', 'succeeded', 'captured', 'complete', 'success', 'successful',
            'settled', 'partially_refunded', 'partial_refund'
        )
        AND CASE
            WHEN t.state <> 'paid' THEN 0
            WHEN
                p.status IN (
                    SELECT m.raw_status
                    FROM recon.state_map AS m
                    WHERE m.provider = 'app' AND m.resource = 'app_payment' AND m.state IN ('paid', 'refunded')
                ) THEN 0
            ELSE 1
        END = 1
    UNION
    -- Words of that list that mean something else to this application: none, as a rule.
    SELECT
        p.provider,
        p.provider_ref
    FROM recon.state_map AS w
    INNER JOIN recon.app_payments AS p ON w.raw_status = p.status
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    WHERE
        w.provider = 'app'
        AND w.resource = 'app_payment'
        AND CASE WHEN w.state IN ('paid', 'refunded') THEN 0 ELSE 1 END = 1
        AND w.raw_status IN (
            'completed', 'confirmed', 'finished', 'paid', 'succeeded', 'captured', 'complete', 'success', 'successful',
            'settled', 'partially_refunded', 'partial_refund'
        )
        AND t.kind IN ('payment', 'deposit')
        AND t.state = 'paid'
),

suspects AS (
    SELECT DISTINCT
        c.user_id,
        c.plan_id
    FROM counted AS c
    INNER JOIN recon.plan_terms AS l ON c.plan_id = l.plan_id
    WHERE
        c.at < c.before_at + INTERVAL '1' DAY
        + INTERVAL '1' DAY * :period_share * CASE WHEN l.is_lifetime THEN 365000 ELSE l.longest_days END
    UNION
    -- What else there is of the same plan is judged below.
    SELECT
        p.user_id,
        p.plan_id
    FROM uncounted AS n
    INNER JOIN recon.app_payments AS p ON n.provider = p.provider AND n.provider_ref = p.provider_ref
    WHERE
        p.plan_id IS NOT NULL
        AND p.booking_id IS NULL
        AND p.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
        AND p.created_at <= cast(:as_of AS timestamptz)
),

twice_booked AS (
    -- Whoever paid.
    SELECT p.booking_id
    FROM recon.app_payments AS p
    WHERE
        p.booking_id IS NOT NULL
        AND p.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
        AND p.created_at <= cast(:as_of AS timestamptz)
    GROUP BY p.booking_id
    HAVING count(*) > 1
),

judged AS (
    SELECT
        v.*,
        concat('plan ', cast(s.plan_id AS text), ' of ', cast(s.user_id AS text)) AS subject
    FROM suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.user_id = s.user_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE v.booking_id IS NULL AND v.plan_id = s.plan_id
    UNION ALL
    SELECT
        v.*,
        concat('booking ', cast(s.booking_id AS text)) AS subject
    FROM twice_booked AS s
    INNER JOIN LATERAL (
        SELECT * FROM recon.payment_verdicts AS w WHERE w.booking_id = s.booking_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
),

counting AS (
    -- Of two rows about one object of the provider the first: the money came once.
    SELECT
        j.*,
        row_number() OVER (
            PARTITION BY
                j.subject, j.provider, coalesce(j.evidence_account, ''),
                coalesce(
                    j.evidence_ref, nullif(btrim(j.provider_ref), ''), concat('payment ', cast(j.payment_id AS text))
                )
            ORDER BY j.payment_id ASC
        ) AS mention
    FROM judged AS j
    WHERE
        j.created_at <= cast(:as_of AS timestamptz)
        -- What went back after as_of had not gone back then.
        AND (j.is_paid OR j.counted_until > cast(:as_of AS timestamptz))
        AND coalesce(j.came >= j.asked * (1 - :tolerance), TRUE)
        AND j.paid_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
),

paid AS (
    SELECT
        c.*,
        lag(c.payment_id) OVER (PARTITION BY c.subject ORDER BY c.paid_at ASC, c.payment_id ASC) AS first_payment_id,
        lag(c.provider_ref) OVER (
            PARTITION BY c.subject ORDER BY c.paid_at ASC, c.payment_id ASC
        ) AS first_provider_ref,
        lag(c.paid_at) OVER (PARTITION BY c.subject ORDER BY c.paid_at ASC, c.payment_id ASC) AS first_paid_at,
        lag(c.user_id) OVER (PARTITION BY c.subject ORDER BY c.paid_at ASC, c.payment_id ASC) AS first_user_id,
        1 + count(*) OVER (
            PARTITION BY c.subject ORDER BY c.paid_at DESC, c.payment_id DESC
        ) AS payments_since_first,
        sum(c.amount - c.amount_refunded) OVER (
            PARTITION BY c.subject, c.currency ORDER BY c.paid_at ASC, c.payment_id ASC
        ) AS paid_so_far
    FROM counting AS c
    WHERE c.mention = 1
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
        WHEN p.booking_id IS NOT NULL AND p.user_id <> p.first_user_id
            THEN
                'the booking was paid before by user ' || cast(p.first_user_id AS text)
                || ': together more than its price'
        WHEN p.booking_id IS NOT NULL THEN 'the booking was paid before: together more than its price'
        ELSE 'the plan was paid before, its period had just begun, and the second payment extended nothing'
    END AS reason
FROM paid AS p
LEFT JOIN recon.app_users AS u ON p.user_id = u.user_id
LEFT JOIN recon.app_bookings AS b ON p.booking_id = b.booking_id
WHERE
    p.first_payment_id IS NOT NULL
    AND NOT coalesce(u.is_internal, FALSE)
    AND p.paid_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
    AND (
        (
            p.booking_id IS NOT NULL
            AND NOT coalesce(p.paid_so_far <= b.price * 1.01 AND p.currency = b.currency, FALSE)
        )
        OR (
            p.booking_id IS NULL
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
