/*---
title: Payments that were canceled
why: >-
  What the provider cancels by itself, or somebody in its dashboard, never passes the application: a booking without
  money, a customer who thinks to have paid.
severity: MEDIUM
what_to_do: >-
  Where the customer still wants what was ordered, ask for another payment; else close the order.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents]
  nowpayments: [payments]
unconfigured: withhold
intraday: full
params:
  window_days: 7
  recovery_days: 7
action: null
columns:
  provider: Who canceled it, or was told to.
  provider_ref: The provider's id of the payment.
  payment_id: The application's id of the payment.
  user_id: The payer, where known.
  username: The payer's name in the application.
  booking_id: What it was for, where it was for a booking.
  app_status: Status in the application.
  provider_status: Status as the provider calls it.
  amount: What will not come, in major units.
  currency: Currency of the amount.
  canceled_at: When it was canceled (UTC).
  reason: Why, as far as the provider says, and whether the application knows.
---*/
-- The rule. Every payment canceled in the last days, whoever did it and whether the application knows of it or not;
-- holds that were let go are among them. One that ran out unpaid at a crypto gateway is expired, and told by
-- expired_crypto_payments. An attempt that never had any money, and after which the customer paid for the same within
-- recovery_days (recon.payment_retries), is no loss: a checkout that was left and opened again. Those of other products
-- are not ours.
WITH canceled AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.raw_status,
        t.amount,
        t.currency,
        t.payment_ref,
        t.user_ref,
        t.provider_created_at,
        t.state_changed_at,
        i.cancellation_reason,
        coalesce(i.charge_status, '') = 'succeeded' AS was_held,
        coalesce(p.payment_id, n.payment_id) AS known_payment,
        coalesce(p.user_id, n.user_id) AS known_user,
        coalesce(p.booking_id, n.booking_id) AS booking_id,
        coalesce(p.status, n.status) AS app_status,
        row_number() OVER (
            PARTITION BY t.provider, t.account, t.provider_ref
            ORDER BY p.created_at DESC NULLS LAST, p.payment_id DESC NULLS LAST
        ) AS choice
    FROM recon.provider_transactions AS t
    LEFT JOIN recon.stripe_payment_intents AS i
        ON t.provider = 'stripe' AND t.account = i.account AND t.provider_ref = i.object_id
    LEFT JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    -- Known by its checkout, its charge, or its own word.
    LEFT JOIN recon.app_payments AS n
        ON p.payment_id IS NULL AND t.provider = n.provider AND t.payment_ref = cast(n.payment_id AS text)
    WHERE
        t.kind = 'payment'
        AND t.state = 'canceled'
        AND t.state_changed_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND t.state_changed_at <= cast(:as_of AS timestamptz)
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND t.link_method <> 'foreign'
        AND t.vanished_at IS NULL
)

SELECT
    c.provider,
    c.provider_ref,
    coalesce(cast(c.known_payment AS text), c.payment_ref) AS payment_id,
    coalesce(cast(c.known_user AS text), c.user_ref) AS user_id,
    u.username,
    c.booking_id,
    c.app_status,
    c.raw_status AS provider_status,
    c.amount,
    c.currency,
    c.state_changed_at AS canceled_at,
    CASE
        WHEN c.cancellation_reason IN ('automatic', 'expired') THEN 'the provider gave it up by itself'
        WHEN c.cancellation_reason IS NULL THEN 'canceled, no reason given'
        ELSE 'canceled: ' || c.cancellation_reason
    END || CASE
        WHEN c.app_status IS NULL THEN ', no payment of the application refers to it'
        ELSE ', the application says ' || c.app_status
    END AS reason
FROM canceled AS c
LEFT JOIN recon.app_users AS u ON c.known_user = u.user_id
LEFT JOIN LATERAL (
    -- The limit is a fence: of a few attempts what followed is asked for by index.
    SELECT r.tried_at
    FROM recon.payment_retries AS r
    WHERE
        r.provider = c.provider
        AND r.account = c.account
        AND r.provider_ref = c.provider_ref
        AND r.tried_at <= cast(:as_of AS timestamptz)
        AND (
            r.what = 'this payment'
            OR (
                r.what = 'same'
                AND r.tried_at >= c.provider_created_at
                AND r.tried_at <= c.state_changed_at + INTERVAL '1' DAY * :recovery_days
            )
        )
    ORDER BY r.tried_at
    LIMIT 1
) AS n ON TRUE
WHERE c.choice = 1 AND (c.was_held OR n.tried_at IS NULL)
