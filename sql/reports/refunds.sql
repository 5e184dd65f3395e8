/*---
title: Money that was given back
why: >-
  Refunds made in the provider's dashboard never pass the application; those that fail later leave a customer who waits
  for money that will not come.
severity: MEDIUM
what_to_do: >-
  See that the application knows, and that access ended where all was given back. Send a refund that failed again, by
  another way.
key: [provider, provider_ref]
coverage:
  stripe: [refunds, payment_intents]
  nowpayments: [payments]
unconfigured: withhold
intraday: full
params:
  window_days: 7
action: null
columns:
  provider: Who gave the money back.
  provider_ref: The provider's id of the refund; at NOWPayments of the payment.
  parent_ref: The provider's id of the payment that was given back.
  payment_id: The application's id of that payment.
  user_id: The payer, where known.
  username: The payer's name in the application.
  app_status: The payment's status in the application.
  provider_status: The refund's status as the provider calls it.
  amount: Given back, in major units.
  currency: Currency of the amount.
  refunded_at: When the refund was made (UTC).
  reason: Whether it arrived, how much of the payment it is, and whether the application knows.
  severity: MEDIUM; HIGH where the refund failed.
---*/
-- The rule. Every refund of the last days, whether the application knows of it or not: this is the list of what went
-- out. One that failed is told again when it fails, where the provider's feed tells it. Letting a hold go is no refund.
-- Those of other products' charges are not ours. Other reports may say what follows for the payment or its access.
WITH told_failed AS (
    SELECT
        e.account,
        e.subject_id,
        max(e.created_at) AS failed_at
    FROM recon.stripe_events AS e
    WHERE
        e.type = 'refund.failed'
        AND e.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND e.created_at <= cast(:as_of AS timestamptz)
    GROUP BY e.account, e.subject_id
),

due AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'refund'
        AND t.provider_created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
    UNION
    SELECT
        'stripe' AS provider,
        e.account,
        e.subject_id AS provider_ref
    FROM told_failed AS e
    UNION
    -- A gateway's refund is a state of its payment.
    SELECT
        t.provider,
        t.account,
        t.provider_ref
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'payment'
        AND t.state = 'refunded'
        AND t.provider = 'nowpayments'
        AND t.state_changed_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND t.state_changed_at <= cast(:as_of AS timestamptz)
),

returned AS (
    SELECT
        t.provider,
        t.provider_ref,
        t.kind,
        t.raw_status,
        t.state,
        t.currency,
        t.payment_ref,
        t.user_ref,
        o.amount AS whole_amount,
        coalesce(p.payment_id, n.payment_id) AS known_payment,
        coalesce(p.user_id, n.user_id) AS known_user,
        coalesce(p.status, n.status) AS app_status,
        coalesce(t.parent_ref, t.provider_ref) AS parent_ref,
        CASE WHEN t.kind = 'refund' THEN t.amount ELSE t.amount_refunded END AS amount,
        CASE WHEN t.kind = 'refund' THEN t.provider_created_at ELSE t.state_changed_at END AS refunded_at,
        row_number() OVER (
            PARTITION BY t.provider, t.account, t.provider_ref
            ORDER BY p.created_at DESC NULLS LAST, p.payment_id DESC NULLS LAST
        ) AS choice
    FROM due AS d
    INNER JOIN recon.provider_transactions AS t
        ON d.provider = t.provider AND d.account = t.account AND d.provider_ref = t.provider_ref
    LEFT JOIN recon.provider_transactions AS o
        ON t.provider = o.provider AND t.account = o.account AND coalesce(t.parent_ref, t.provider_ref) = o.provider_ref
    LEFT JOIN recon.app_payments AS p
        ON t.provider = p.provider AND coalesce(t.parent_ref, t.provider_ref) = p.provider_ref
    -- Known by its checkout, its charge, or its own word.
    LEFT JOIN recon.app_payments AS n
        ON p.payment_id IS NULL AND t.provider = n.provider AND t.payment_ref = cast(n.payment_id AS text)
    WHERE
        t.kind IN ('refund', 'payment')
        AND t.link_method <> 'foreign'
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
)

SELECT
    r.provider,
    r.provider_ref,
    r.parent_ref,
    coalesce(cast(r.known_payment AS text), r.payment_ref) AS payment_id,
    coalesce(cast(r.known_user AS text), r.user_ref) AS user_id,
    u.username,
    r.app_status,
    r.raw_status AS provider_status,
    r.amount,
    r.currency,
    r.refunded_at,
    CASE
        WHEN r.kind = 'refund' AND r.state IN ('failed', 'canceled') THEN 'it did not arrive'
        WHEN r.kind = 'refund' AND r.state <> 'refunded' THEN 'it is under way'
        WHEN r.amount < r.whole_amount THEN 'a part of the payment'
        ELSE 'the whole payment'
    END || CASE
        WHEN r.app_status IS NULL THEN ', of a payment that the application does not refer to'
        ELSE ', the application says ' || r.app_status
    END AS reason,
    CASE WHEN r.kind = 'refund' AND r.state = 'failed' THEN 'HIGH' ELSE 'MEDIUM' END AS severity
FROM returned AS r
LEFT JOIN recon.app_users AS u ON r.known_user = u.user_id
WHERE r.choice = 1
