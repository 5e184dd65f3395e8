/*---
title: Delivered without payment
why: >-
  A service took place, it has a price, and nobody paid for it: neither the application nor any provider knows of money
  that was paid or held for the booking.
severity: CRITICAL
what_to_do: >-
  Ask the customer for payment before the host is paid out. Then find out how a booking could start without a hold.
key: [booking_id]
coverage:
  stripe: [payment_intents]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
intraday: full
params:
  grace_minutes: 60
action: null
columns:
  booking_id: The booking.
  user_id: The customer.
  username: The customer's name in the application.
  payee_id: The host.
  booking_status: What the application says became of the booking.
  started_at: When somebody joined (UTC).
  ended_at: When the booking was over (UTC).
  payment_id: The newest payment that was tried for it; empty when there is none.
  payment_status: What the application says of that payment.
  provider: Through whom it was tried.
  provider_ref: The provider's id of that payment.
  amount: The price, in major units.
  currency: Currency of the price.
  reason: Why the booking counts as not paid.
---*/
-- Delivered: over for grace_minutes, somebody joined or the application calls it completed, not cancelled and no
-- no-show. Paid or held counts on either side, and so does money that was given back since, is disputed, frozen, under
-- way, or in a state that nobody knows: each of those is another report's matter. So is a hold that ran out
-- (expired_authorizations). Internal accounts book for nothing.
WITH delivered AS (
    SELECT
        b.booking_id,
        b.user_id,
        b.payee_id,
        b.status,
        b.actual_start,
        b.ends_at,
        b.price,
        b.currency
    FROM recon.app_bookings AS b
    WHERE
        b.ends_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
        AND (
            b.actual_start <= cast(:as_of AS timestamptz)
            OR (b.actual_start IS NULL AND b.status IN ('completed', 'delivered', 'finished', 'done'))
        )
        AND b.price > 0
        AND b.cancelled_by IS NULL
        AND b.status NOT IN ('canceled', 'cancelled', 'declined', 'rejected', 'no_show', 'noshow', 'no-show')
),

-- Words of the application that mean: no money, neither now nor ever for this attempt.
empty_handed AS (
    SELECT m.raw_status
    FROM recon.state_map AS m
    WHERE
        m.provider = 'app'
        AND m.resource = 'app_payment'
        AND m.state IN ('pending', 'failed', 'canceled', 'expired')
),

settled AS (
    SELECT p.booking_id
    FROM recon.app_payments AS p
    WHERE
        p.booking_id IS NOT NULL
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND coalesce(p.status, '') NOT IN (SELECT e.raw_status FROM empty_handed AS e)
),

unpaid AS (
    SELECT d.*
    FROM delivered AS d
    LEFT JOIN settled AS s ON d.booking_id = s.booking_id
    -- Nearly every booking is paid. Written as IS NULL, PostgreSQL expects that most are not, and reads all that
    -- follows from end to end; so written it expects few.
    WHERE CASE WHEN s.booking_id IS NULL THEN 1 ELSE 0 END = 1
),

attempts AS (
    SELECT
        n.booking_id,
        p.payment_id,
        p.status,
        p.provider,
        p.provider_ref,
        p.tx_hash,
        row_number() OVER (PARTITION BY n.booking_id ORDER BY p.created_at DESC, p.payment_id DESC) AS choice
    FROM unpaid AS n
    INNER JOIN recon.app_payments AS p ON n.booking_id = p.booking_id
    WHERE p.created_at <= cast(:as_of AS timestamptz)
),

-- The objects that stand for the attempts.
named AS (
    SELECT
        a.booking_id,
        x.provider,
        x.account,
        x.provider_ref
    FROM attempts AS a
    INNER JOIN LATERAL (
        -- The limit is a fence: of a few attempts the objects are asked for by index.
        SELECT
            o.provider,
            o.account,
            o.provider_ref
        FROM recon.payment_objects AS o
        WHERE o.payment_id = a.payment_id
        ORDER BY o.way
        LIMIT 1000
    ) AS x ON TRUE
),

-- The provider may know better than the application.
excused AS (
    SELECT a.booking_id
    FROM attempts AS a
    INNER JOIN recon.provider_transactions AS t ON a.tx_hash = t.tx_hash AND t.kind = 'deposit'
    WHERE
        t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
    UNION ALL
    SELECT c.booking_id
    FROM named AS c
    INNER JOIN recon.provider_transactions AS t
        ON c.provider = t.provider AND c.account = t.account AND c.provider_ref = t.provider_ref
    WHERE
        t.state NOT IN ('pending', 'failed', 'canceled', 'expired')
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
    UNION ALL
    -- It names the attempt, which refers to another.
    SELECT a.booking_id
    FROM attempts AS a
    INNER JOIN recon.provider_transactions AS t
        ON cast(a.payment_id AS text) = t.payment_ref AND t.link_method IN ('metadata', 'checkout')
    WHERE
        t.kind IN ('payment', 'deposit')
        AND t.state NOT IN ('pending', 'failed', 'canceled', 'expired')
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
    UNION ALL
    SELECT c.booking_id
    FROM named AS c
    INNER JOIN recon.stripe_payment_intents AS i
        ON c.provider = 'stripe' AND c.account = i.account AND c.provider_ref = i.object_id
    WHERE
        i.status = 'canceled'
        AND i.cancellation_reason IN ('automatic', 'expired')
        AND i.capture_method = 'manual'
        AND i.charge_id IS NOT NULL
        AND coalesce(i.charge_status, 'succeeded') = 'succeeded'
)

SELECT
    n.booking_id,
    cast(n.user_id AS text) AS user_id,
    u.username,
    n.payee_id,
    n.status AS booking_status,
    n.actual_start AS started_at,
    n.ends_at AS ended_at,
    a.payment_id,
    a.status AS payment_status,
    a.provider,
    a.provider_ref,
    n.price AS amount,
    n.currency,
    CASE
        WHEN a.payment_id IS NULL THEN 'delivered, and no payment was ever made for it'
        ELSE 'delivered, and no attempt to pay for it succeeded'
    END AS reason
FROM unpaid AS n
LEFT JOIN attempts AS a ON n.booking_id = a.booking_id AND a.choice = 1
LEFT JOIN recon.app_users AS u ON n.user_id = u.user_id
WHERE
    NOT EXISTS (SELECT 1 FROM excused AS e WHERE e.booking_id = n.booking_id)
    AND NOT coalesce(u.is_internal, FALSE)
