/*---
title: Holds that ran out uncaptured
why: >-
  The provider let the hold go because nobody captured it in time, although the service was delivered or the application
  still counts on the money. It is lost unless the customer pays again.
severity: HIGH
what_to_do: >-
  Ask the customer for another payment, and find out why the capture did not happen (stuck_authorizations warns two days
  ahead). Then bring the application's record in line with the provider.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents]
unconfigured: withhold
intraday: full
params: {}
action: null
columns:
  provider: Who held the money.
  provider_ref: The provider's id of the hold.
  payment_id: The application's id of the payment.
  user_id: The payer.
  username: The payer's name in the application.
  booking_id: What the hold was for.
  payment_status: What the application says of the payment.
  amount: Lost, in major units.
  currency: Currency of the amount.
  expired_at: When the provider let the hold go (UTC).
  reason: Why the money is missed.
---*/
-- Suspects are the provider's own words, few and indexed: cancelled by itself ("automatic" or "expired") after a charge
-- had been made. Not lost: bookings that were cancelled or that nobody came to, and those for which another payment
-- holds or has money, since the customer paid again; for a plan, a later one for the same plan.
WITH lapsed AS (
    SELECT
        i.object_id,
        i.amount,
        i.currency,
        -- Without a date: as in the canonical layer.
        coalesce(i.canceled_at, least(i.read_at, i.created_at + INTERVAL '31' DAY)) AS canceled_at,
        p.payment_id,
        p.user_id,
        p.booking_id,
        p.plan_id,
        p.created_at,
        p.status,
        coalesce(m.state, 'unknown') AS app_state,
        row_number() OVER (PARTITION BY i.object_id ORDER BY p.created_at DESC, p.payment_id DESC) AS choice
    FROM recon.stripe_payment_intents AS i
    INNER JOIN LATERAL (
        -- The limit is a fence: of a few holds the payments are asked for by index.
        SELECT o.payment_id
        FROM recon.payment_objects AS o
        WHERE o.provider = 'stripe' AND o.account = i.account AND o.provider_ref = i.object_id
        ORDER BY o.way
        LIMIT 1000
    ) AS x ON TRUE
    INNER JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'app' AND m.resource = 'app_payment' AND p.status = m.raw_status
    WHERE
        i.status = 'canceled'
        AND i.cancellation_reason IN ('automatic', 'expired')
        AND coalesce(i.canceled_at, least(i.read_at, i.created_at + INTERVAL '31' DAY)) <= cast(:as_of AS timestamptz)
        AND i.capture_method = 'manual'
        AND i.charge_id IS NOT NULL
        AND coalesce(i.charge_status, 'succeeded') = 'succeeded'
        AND i.vanished_at IS NULL
),

judged AS (
    SELECT
        l.*,
        b.ends_at <= cast(:as_of AS timestamptz)
        AND (
            b.actual_start <= cast(:as_of AS timestamptz)
            OR (b.actual_start IS NULL AND b.status IN ('completed', 'delivered', 'finished', 'done'))
        ) AS is_delivered,
        coalesce(
            b.cancelled_by IS NOT NULL
            OR b.status IN ('canceled', 'cancelled', 'declined', 'rejected', 'no_show', 'noshow', 'no-show'),
            FALSE
        ) AS is_called_off
    FROM lapsed AS l
    LEFT JOIN recon.app_bookings AS b ON l.booking_id = b.booking_id
    WHERE l.choice = 1
)

SELECT
    'stripe' AS provider,
    j.object_id AS provider_ref,
    j.payment_id,
    cast(j.user_id AS text) AS user_id,
    u.username,
    j.booking_id,
    j.status AS payment_status,
    j.amount,
    upper(j.currency) AS currency,
    j.canceled_at AS expired_at,
    CASE
        WHEN j.is_delivered AND j.app_state IN ('paid', 'authorized', 'partially_paid')
            THEN 'delivered, and the application still counts the money'
        WHEN j.is_delivered THEN 'delivered, and never captured'
        WHEN j.app_state = 'authorized' THEN 'the application believes the money is still held'
        ELSE 'the application counts the money as paid'
    END AS reason
FROM judged AS j
LEFT JOIN recon.app_users AS u ON j.user_id = u.user_id
WHERE
    NOT j.is_called_off
    AND (j.is_delivered OR j.app_state IN ('paid', 'authorized', 'partially_paid'))
    AND NOT EXISTS (
        SELECT 1
        FROM recon.app_payments AS q
        LEFT JOIN recon.state_map AS n
            ON n.provider = 'app' AND n.resource = 'app_payment' AND q.status = n.raw_status
        LEFT JOIN recon.provider_transactions AS t ON q.provider = t.provider AND q.provider_ref = t.provider_ref
        WHERE
            q.booking_id = j.booking_id
            AND q.payment_id <> j.payment_id
            AND q.created_at <= cast(:as_of AS timestamptz)
            AND coalesce(t.state, n.state) IN ('paid', 'authorized', 'processing', 'refunded')
    )
    AND NOT EXISTS (
        SELECT 1
        FROM recon.app_payments AS q
        LEFT JOIN recon.state_map AS n
            ON n.provider = 'app' AND n.resource = 'app_payment' AND q.status = n.raw_status
        LEFT JOIN recon.provider_transactions AS t ON q.provider = t.provider AND q.provider_ref = t.provider_ref
        WHERE
            j.booking_id IS NULL
            AND q.user_id = j.user_id
            AND q.plan_id = j.plan_id
            AND q.payment_id <> j.payment_id
            AND q.created_at > j.created_at
            AND q.created_at <= cast(:as_of AS timestamptz)
            AND coalesce(t.state, n.state) IN ('paid', 'authorized', 'processing', 'refunded')
    )
