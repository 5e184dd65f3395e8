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
-- customer at the checkout has for another card. Not reported is what went well after all (recon.payment_retries):
-- another payment for the same within recovery_days of the failure, one for another plan within sitting_hours, or
-- another object for this payment. Checkouts that were left without an attempt did not fail. Those of other products
-- are not ours.
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
    SELECT DISTINCT
        k.provider,
        k.account,
        k.provider_ref
    FROM known AS k
    INNER JOIN LATERAL (
        -- The limit is a fence: of a few failures what followed is asked for by index.
        SELECT
            r.tried_at,
            r.what
        FROM recon.payment_retries AS r
        WHERE r.provider = k.provider AND r.account = k.account AND r.provider_ref = k.provider_ref
        ORDER BY r.tried_at
        LIMIT 1000
    ) AS n ON TRUE
    WHERE
        n.tried_at <= cast(:as_of AS timestamptz)
        AND CASE n.what
            WHEN 'this payment' THEN TRUE
            WHEN 'same'
                THEN
                    n.tried_at >= k.provider_created_at
                    AND n.tried_at <= k.failed_at + INTERVAL '1' DAY * :recovery_days
            -- Another plan, at the same sitting.
            ELSE
                n.tried_at >= k.provider_created_at
                AND n.tried_at <= k.failed_at + INTERVAL '1' HOUR * :sitting_hours
        END
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
