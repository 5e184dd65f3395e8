/*---
title: Payments that failed
why: >-
  Somebody wanted to pay and could not: lost revenue, a subscription about to lapse, and sometimes a fault of our own
  checkout when many fail at once.
severity: HIGH
what_to_do: >-
  Ask the customer for another card or coin. Many failures with one code in a short time are a fault to be searched at
  the provider or in the checkout.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents, charges]
  nowpayments: [payments]
unconfigured: withhold
intraday: full
params:
  window_days: 7
  grace_seconds: 3600
  recovery_days: 7
  sitting_hours: 3
action: null
columns:
  provider: Where it failed.
  provider_ref: The provider's id of the payment.
  payment_id: The application's id of the payment.
  user_id: The payer, where known.
  username: The payer's name in the application.
  plan_id: What it was for, where it was for a plan.
  booking_id: What it was for, where it was for a booking.
  app_status: Status in the application.
  provider_status: Status as the provider calls it.
  failure: The provider's code of the failure.
  amount: What did not come, in major units.
  currency: Currency of the amount.
  failed_at: When the last attempt failed (UTC).
  reason: Why it failed, and whether the application knows.
---*/
-- The rule. The last attempt failed in the last window_days and more than grace_seconds ago, which is the time that a
-- customer at the checkout has for another card. Not reported is what went well after all, within recovery_days of the
-- failure: another payment of the same user for the same plan or booking (or
-- for another plan, within sitting_hours), on the provider's word or, where it is not
-- read, the application's; the same payment of the application by another object; or, where no payment refers to the
-- attempt, the same customer with the same sum. Checkouts that were left without an attempt did not fail. Those of
-- other products are not ours.
WITH failed AS (
    -- A declined card leaves the intent open for another one.
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.raw_status,
        t.amount,
        t.currency,
        t.payment_ref,
        t.user_ref,
        t.customer_ref,
        t.link_method,
        t.provider_created_at,
        greatest(i.created_at, i.charge_created_at) AS failed_at,
        i.last_error_code AS failure
    FROM recon.stripe_payment_intents AS i
    INNER JOIN recon.provider_transactions AS t
        ON t.provider = 'stripe' AND i.account = t.account AND i.object_id = t.provider_ref
    WHERE
        i.status = 'requires_payment_method'
        AND (i.last_error_code IS NOT NULL OR i.charge_status = 'failed')
        AND greatest(i.created_at, i.charge_created_at) > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND i.vanished_at IS NULL
    UNION ALL
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.raw_status,
        t.amount,
        t.currency,
        t.payment_ref,
        t.user_ref,
        t.customer_ref,
        t.link_method,
        t.provider_created_at,
        t.state_changed_at AS failed_at,
        c.failure_code AS failure
    FROM recon.provider_transactions AS t
    LEFT JOIN recon.stripe_charges AS c
        ON t.provider = 'stripe' AND t.account = c.account AND t.provider_ref = c.object_id
    WHERE
        t.kind = 'payment'
        AND t.state = 'failed'
        AND t.state_changed_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND t.vanished_at IS NULL
),

known AS (
    SELECT
        f.*,
        p.payment_id AS known_payment,
        p.user_id AS known_user,
        p.plan_id,
        p.booking_id,
        p.status AS app_status,
        row_number() OVER (
            PARTITION BY f.provider, f.account, f.provider_ref
            ORDER BY p.created_at DESC NULLS LAST, p.payment_id DESC NULLS LAST
        ) AS choice
    FROM failed AS f
    LEFT JOIN LATERAL (
        -- The limit is a fence: of a few failures the payments are asked for by index.
        SELECT o.payment_id
        FROM recon.payment_objects AS o
        WHERE o.provider = f.provider AND o.account = f.account AND o.provider_ref = f.provider_ref
        ORDER BY o.way
        LIMIT 1000
    ) AS x ON TRUE
    LEFT JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
    WHERE
        f.link_method <> 'foreign'
        AND f.provider_created_at <= cast(:as_of AS timestamptz)
        AND f.failed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
),

recovered AS (
    -- The same user, for the same thing.
    SELECT
        k.provider,
        k.account,
        k.provider_ref
    FROM known AS k
    INNER JOIN recon.app_payments AS s ON k.known_user = s.user_id
    LEFT JOIN recon.state_map AS m
        ON s.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    LEFT JOIN recon.provider_transactions AS t
        ON s.provider = t.provider AND s.provider_ref = t.provider_ref AND t.kind IN ('payment', 'deposit')
    WHERE
        (
            k.plan_id = s.plan_id
            OR k.booking_id = s.booking_id
            -- Another plan, at the same sitting.
            OR (
                k.plan_id IS NOT NULL
                AND s.plan_id IS NOT NULL
                AND s.booking_id IS NULL
                AND s.created_at <= k.failed_at + INTERVAL '1' HOUR * :sitting_hours
            )
        )
        AND k.known_payment <> s.payment_id
        AND (t.state IN ('paid', 'authorized', 'processing') OR (t.state IS NULL AND m.state IN ('paid', 'authorized')))
        AND s.created_at >= k.provider_created_at
        AND s.created_at <= k.failed_at + INTERVAL '1' DAY * :recovery_days
        AND s.created_at <= cast(:as_of AS timestamptz)
    UNION
    -- The same customer with the same sum, where the application knows nothing of the attempt.
    SELECT
        k.provider,
        k.account,
        k.provider_ref
    FROM known AS k
    INNER JOIN recon.stripe_payment_intents AS i ON k.account = i.account AND k.customer_ref = i.customer_id
    WHERE
        k.known_payment IS NULL
        AND i.status IN ('succeeded', 'requires_capture', 'processing')
        AND i.amount = k.amount
        AND upper(i.currency) = k.currency
        AND i.vanished_at IS NULL
        AND i.created_at >= k.provider_created_at
        AND i.created_at <= k.failed_at + INTERVAL '1' DAY * :recovery_days
        AND i.created_at <= cast(:as_of AS timestamptz)
    UNION
    -- The same payment of the application, whose reference has moved on to another object.
    SELECT
        k.provider,
        k.account,
        k.provider_ref
    FROM known AS k
    INNER JOIN recon.stripe_payment_intents AS i ON k.account = i.account AND k.customer_ref = i.customer_id
    WHERE
        k.payment_ref = i.metadata_payment_id
        AND k.provider_ref <> i.object_id
        AND i.status IN ('succeeded', 'requires_capture', 'processing')
        AND i.vanished_at IS NULL
        AND i.created_at <= cast(:as_of AS timestamptz)
    UNION
    SELECT
        k.provider,
        k.account,
        k.provider_ref
    FROM known AS k
    INNER JOIN recon.app_payments AS s ON k.provider = s.provider AND k.payment_ref = cast(s.payment_id AS text)
    INNER JOIN recon.provider_transactions AS t ON s.provider = t.provider AND s.provider_ref = t.provider_ref
    WHERE
        k.provider_ref <> t.provider_ref
        AND t.kind = 'payment'
        AND t.state IN ('paid', 'authorized', 'processing')
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
    UNION
    -- Two objects for one payment that refers to neither.
    SELECT
        k.provider,
        k.account,
        k.provider_ref
    FROM known AS k
    INNER JOIN recon.provider_transactions AS t ON k.provider = t.provider AND k.payment_ref = t.payment_ref
    WHERE
        k.provider_ref <> t.provider_ref
        AND t.kind = 'payment'
        AND t.link_method IN ('metadata', 'checkout')
        AND t.state IN ('paid', 'authorized', 'processing')
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
)

SELECT
    k.provider,
    k.provider_ref,
    coalesce(cast(k.known_payment AS text), k.payment_ref) AS payment_id,
    coalesce(cast(k.known_user AS text), k.user_ref) AS user_id,
    u.username,
    k.plan_id,
    k.booking_id,
    k.app_status,
    k.raw_status AS provider_status,
    k.failure,
    k.amount,
    k.currency,
    k.failed_at,
    coalesce(k.failure, k.raw_status) || CASE
        WHEN k.app_status IS NULL THEN ', no payment of the application refers to it'
        ELSE ', the application says ' || k.app_status
    END AS reason
FROM known AS k
LEFT JOIN recovered AS r ON k.provider = r.provider AND k.account = r.account AND k.provider_ref = r.provider_ref
LEFT JOIN recon.app_users AS u ON k.known_user = u.user_id
WHERE k.choice = 1 AND r.provider_ref IS NULL
