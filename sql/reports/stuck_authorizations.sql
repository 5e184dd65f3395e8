/*---
title: Holds about to be lost
why: >-
  A hold that nobody captures or releases runs out: then the money is gone, or the customer's card stays blocked for a
  service that never took place. Deadlines differ by card: seven days for most, less or up to thirty for others.
severity: MEDIUM
what_to_do: >-
  Capture what was delivered and release what was not, before the deadline; column recommendation says which, from the
  booking. Where the deadline has passed, try at once; if the provider refuses, cancel the hold and ask for another
  payment.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents]
unconfigured: judge
intraday: full
params:
  lead_hours: 48
  max_age_days: 7
  delivered_hours: 72
  grace_minutes: 60
action: capture_payment
columns:
  provider: Who holds the money.
  provider_ref: The provider's id of the hold.
  payment_id: The application's id of the payment; empty when it does not know of the hold.
  user_id: The payer, where known.
  username: The payer's name in the application.
  booking_id: What the hold is for.
  amount: Held, in major units.
  currency: Currency of the amount.
  created_at: When the hold was made (UTC).
  age_days: Days since then.
  capture_before: The provider's deadline for capture (UTC); empty when it names none.
  hours_left: Hours until the deadline, negative once it has passed.
  recommendation: >-
    capture (somebody joined, or the application calls it completed), release (no-show, cancelled, over with nobody
    there, or nothing that it is for), wait (the service is still to come, or the hold is for a plan) or decide
    (called a no-show, but somebody joined).
  reason: Why the hold is listed.
  severity: HIGH where the deadline is near or past, else MEDIUM.
---*/
-- Listed are holds near or past their deadline; without a known deadline, old ones; and, whatever the deadline, those
-- whose service was delivered delivered_hours ago: by then a capture was forgotten. Where the application counts it as
-- captured, out_of_sync_payments tells.
WITH provider_holds AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.amount,
        t.currency,
        t.user_ref,
        t.capture_before,
        -- The intent may be older than the authorization.
        t.state_changed_at AS created_at,
        coalesce(
            t.capture_before <= cast(:as_of AS timestamptz) + INTERVAL '1' HOUR * :lead_hours,
            t.state_changed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :max_age_days
        ) AS is_due
    FROM recon.provider_transactions AS t
    WHERE
        t.state = 'authorized'
        AND t.kind IN ('payment', 'deposit')
        AND t.link_method <> 'foreign'
        AND t.vanished_at IS NULL
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND (
            t.capture_before <= cast(:as_of AS timestamptz) + INTERVAL '1' HOUR * :lead_hours
            OR (
                t.capture_before IS NULL
                AND t.state_changed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :max_age_days
            )
            OR t.state_changed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' HOUR * :delivered_hours
        )
),

holds AS (
    SELECT
        h.provider,
        h.provider_ref,
        h.amount,
        h.currency,
        h.capture_before,
        h.created_at,
        h.is_due,
        p.payment_id,
        p.booking_id,
        p.plan_id,
        p.user_id,
        p.status,
        p.created_at AS payment_created_at,
        coalesce(cast(p.user_id AS text), h.user_ref) AS user_ref,
        TRUE AS is_known_to_provider
    FROM provider_holds AS h
    -- Nearly all are known by their own id; of the others the payments are asked for by index: the limit is a fence.
    LEFT JOIN recon.app_payments AS d ON h.provider = d.provider AND h.provider_ref = d.provider_ref
    LEFT JOIN LATERAL (
        SELECT o.payment_id
        FROM recon.payment_objects AS o
        WHERE
            d.payment_id IS NULL
            AND o.provider = h.provider
            AND o.account = h.account
            AND o.provider_ref = h.provider_ref
            AND o.way <> 1
        ORDER BY o.way
        LIMIT 1000
    ) AS x ON TRUE
    LEFT JOIN recon.app_payments AS p ON coalesce(d.payment_id, x.payment_id) = p.payment_id
    UNION ALL
    -- Holds that only the application knows, of providers that are not read: its own word is all there is.
    SELECT
        p.provider,
        p.provider_ref,
        p.amount,
        p.currency,
        cast(NULL AS timestamptz) AS capture_before,
        p.created_at,
        TRUE AS is_due,
        p.payment_id,
        p.booking_id,
        p.plan_id,
        p.user_id,
        p.status,
        p.created_at AS payment_created_at,
        cast(p.user_id AS text) AS user_ref,
        FALSE AS is_known_to_provider
    FROM recon.state_map AS m
    INNER JOIN LATERAL (
        -- The limit is a fence: of all payments those with such a status are asked for by index, the oldest first.
        SELECT
            q.provider,
            q.provider_ref,
            q.amount,
            q.currency,
            q.created_at,
            q.payment_id,
            q.booking_id,
            q.plan_id,
            q.user_id,
            q.status
        FROM recon.app_payments AS q
        WHERE
            q.status = m.raw_status
            AND q.created_at <= cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :max_age_days
        ORDER BY q.created_at ASC
        LIMIT 100000
    ) AS p ON TRUE
    LEFT JOIN LATERAL (
        SELECT o.provider_ref
        FROM recon.payment_objects AS o
        WHERE o.payment_id = p.payment_id
        ORDER BY o.way
        LIMIT 1
    ) AS t ON TRUE
    WHERE
        m.provider = 'app'
        AND m.resource = 'app_payment'
        AND m.state = 'authorized'
        AND t.provider_ref IS NULL
        AND p.provider_ref <> ''
),

chosen AS (
    SELECT
        h.*,
        cast(:as_of AS timestamptz) - h.created_at AS age,
        h.capture_before - cast(:as_of AS timestamptz) AS time_left,
        row_number() OVER (
            PARTITION BY h.provider, h.provider_ref
            ORDER BY h.payment_created_at DESC NULLS LAST, h.payment_id DESC NULLS LAST
        ) AS choice
    FROM holds AS h
),

advised AS (
    SELECT
        c.*,
        b.ends_at,
        coalesce(m.state, 'unknown') AS app_state,
        CASE
            WHEN b.booking_id IS NULL AND c.plan_id IS NULL THEN 'release'
            WHEN b.booking_id IS NULL THEN 'wait'
            WHEN b.actual_start IS NOT NULL AND b.status IN ('no_show', 'noshow', 'no-show') THEN 'decide'
            WHEN
                b.cancelled_by IS NOT NULL
                OR b.status IN ('canceled', 'cancelled', 'declined', 'rejected', 'no_show', 'noshow', 'no-show')
                THEN 'release'
            WHEN b.actual_start <= cast(:as_of AS timestamptz) THEN 'capture'
            WHEN b.status IN ('completed', 'delivered', 'finished', 'done') THEN 'capture'
            WHEN b.ends_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes THEN 'release'
            ELSE 'wait'
        END AS recommendation
    FROM chosen AS c
    LEFT JOIN recon.app_bookings AS b ON c.booking_id = b.booking_id
    LEFT JOIN recon.state_map AS m
        ON c.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE c.choice = 1
)

SELECT
    c.provider,
    c.provider_ref,
    c.payment_id,
    c.user_ref AS user_id,
    u.username,
    c.booking_id,
    c.amount,
    c.currency,
    c.created_at,
    cast(extract(DAY FROM c.age) AS integer) AS age_days,
    c.capture_before,
    round(
        cast(
            extract(DAY FROM c.time_left) * 24 + extract(HOUR FROM c.time_left)
            + extract(MINUTE FROM c.time_left) / 60.0 AS numeric(12, 4)
        ),
        1
    ) AS hours_left,
    c.recommendation,
    CASE
        WHEN NOT c.is_due THEN 'delivered days ago, and not captured'
        WHEN c.capture_before <= cast(:as_of AS timestamptz) THEN 'deadline passed'
        WHEN c.capture_before IS NOT NULL THEN 'deadline near'
        WHEN c.is_known_to_provider THEN 'old, and the provider names no deadline'
        ELSE 'old, and known to the application only'
    END AS reason,
    CASE WHEN c.capture_before IS NULL OR NOT c.is_due THEN 'MEDIUM' ELSE 'HIGH' END AS severity
FROM advised AS c
LEFT JOIN recon.app_users AS u ON c.user_id = u.user_id
WHERE
    c.is_due
    OR (
        c.recommendation = 'capture'
        AND c.app_state <> 'paid'
        AND c.ends_at <= cast(:as_of AS timestamptz) - INTERVAL '1' HOUR * :delivered_hours
    )
