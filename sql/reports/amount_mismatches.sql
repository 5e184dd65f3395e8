/*---
title: Amount or currency differs
why: >-
  The application books another sum than the provider took: revenue is wrong, refunds will be wrong, and a customer may
  have paid too much or too little.
severity: HIGH
what_to_do: >-
  Compare with the order: refund or ask for the difference where the customer was charged wrongly, and correct the
  application's row where only the booking is wrong. The reason says what it looks like.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
unconfigured: withhold
intraday: touched
touched:
  by: transaction
  relations: [suspects.t, suspects.p, pairs.o]
params:
  grace_seconds: 300
action: null
columns:
  provider: Who took the money.
  provider_ref: The provider's id of the payment.
  payment_id: The application's id of the payment, the newest where several rows share it.
  user_id: The payer.
  username: The payer's name in the application.
  app_status: Status as the application wrote it.
  provider_status: Status as the provider calls it.
  app_amount: Amount in the application, in major units; the sum where several rows share one payment.
  app_currency: Currency in the application.
  provider_amount: Amount at the provider, in major units; what was captured, once something was.
  currency: Currency at the provider.
  difference: What differs, amount or currency or both.
  amount: At risk, by how much the two differ; the provider's amount where the currencies do.
  provider_changed_at: When the provider's state last changed (UTC).
  reason: Both figures in words, and what the difference looks like.
---*/
-- The rule. The application's amount is what the customer was charged: gross, before the provider's fees, and before
-- any refund. What was captured counts, not what was authorized (H6). Both sides are in major units, by the provider's
-- own exponents, so 3000 JPY is 3000 and 6.120 KWD is 6.12 (S12).
-- No mismatch: a partial refund (the amount stays, the refund is an object of its own), or what is left after it where
-- the application's status says that something was refunded; several rows of the application that add up to one
-- payment; figures of attempts that both sides gave up, or that the provider keeps open for another card.
-- A mismatch: the amount net of fees, because refunds and receipts go by gross; and all the rest.
WITH suspects AS (
    -- The full compare reads only columns of the covering indexes on both sides; all that is finer comes after it. In
    -- their order the two are merged: nothing is hashed, and what an index has worked out is not worked out once more.
    -- The limit is a fence: several processes would each read all of it.
    SELECT DISTINCT
        t.provider,
        t.provider_ref
    FROM recon.provider_transactions AS t
    INNER JOIN (
        SELECT
            p.provider,
            p.provider_ref,
            p.amount,
            p.currency
        FROM recon.app_payments AS p
        ORDER BY p.provider, p.provider_ref
        LIMIT 1000000000000
    ) AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    WHERE
        t.kind = 'payment'
        -- As a CASE, because then the database expects few rows and looks the rest up by index.
        AND CASE
            WHEN t.amount <> p.amount OR t.currency <> p.currency THEN 1
            WHEN
                t.provider = 'stripe'
                AND t.state IN ('paid', 'refunded')
                AND t.amount_received > 0
                AND t.amount_received <> t.amount
                THEN 1
            ELSE 0
        END = 1
),

pairs AS (
    SELECT
        s.provider,
        s.provider_ref,
        p.payment_id,
        FALSE AS is_named
    FROM suspects AS s
    INNER JOIN recon.app_payments AS p ON s.provider = p.provider AND s.provider_ref = p.provider_ref
    UNION
    -- Payments whose id the application never stored, but that of the charge, of the checkout, or nothing.
    SELECT
        o.provider,
        o.provider_ref,
        o.payment_id,
        o.way = 3 AS is_named
    FROM recon.payment_objects AS o
    WHERE o.way <> 1
),

compared AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.state AS provider_state,
        t.raw_status,
        t.state_changed_at,
        t.amount AS asked_amount,
        t.amount_refunded,
        t.currency,
        t.received_currency,
        t.expected_amount,
        p.payment_id,
        p.user_id,
        p.status AS app_status,
        p.amount AS app_amount,
        p.currency AS app_currency,
        coalesce(m.state, 'unknown') AS app_state,
        CASE
            WHEN t.provider = 'stripe' AND t.state IN ('paid', 'refunded') AND t.amount_received > 0
                THEN t.amount_received
            ELSE t.amount
        END AS provider_amount,
        sum(CASE WHEN m.state IN ('failed', 'canceled', 'expired') THEN 0 ELSE p.amount END) OVER (
            PARTITION BY t.provider, t.account, t.provider_ref
        ) AS app_total,
        -- Of several objects that name one payment one stands for it, as in recon.payment_verdicts.
        CASE
            WHEN x.is_named
                THEN
                    row_number()
                        OVER (
                            PARTITION BY x.is_named, p.payment_id
                            ORDER BY
                                CASE WHEN t.state = 'paid' THEN 0 ELSE 1 END ASC,
                                CASE WHEN t.state = 'paid' THEN t.provider_created_at END ASC,
                                t.state_changed_at DESC, t.account ASC, t.provider_ref ASC
                        )
            ELSE 1
        END AS standing,
        row_number() OVER (
            PARTITION BY t.provider, t.provider_ref
            ORDER BY p.created_at DESC, p.payment_id DESC, t.state_changed_at DESC, t.account ASC
        ) AS choice
    FROM pairs AS x
    INNER JOIN recon.provider_transactions AS t ON x.provider = t.provider AND x.provider_ref = t.provider_ref
    INNER JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        t.kind = 'payment'
        AND t.vanished_at IS NULL
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        -- The provider has just moved, e.g. captured a part: its webhook is on the way.
        AND t.state_changed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        AND p.created_at <= cast(:as_of AS timestamptz)
),

differing AS (
    SELECT
        c.*,
        c.currency <> c.app_currency AS currency_differs,
        c.provider_amount <> c.app_amount AND c.provider_amount <> c.app_total AS amount_differs
    FROM compared AS c
    WHERE
        c.choice = 1
        AND c.standing = 1
        AND NOT (
            c.app_state IN ('failed', 'canceled', 'expired')
            AND c.provider_state IN ('failed', 'canceled', 'expired', 'pending')
        )
        AND NOT (
            c.currency = c.app_currency
            AND c.amount_refunded > 0
            AND c.app_amount = c.provider_amount - c.amount_refunded
            AND c.app_status IN ('refunded', 'partially_refunded', 'partial_refund', 'fully_refunded')
        )
        -- The application keeps the coins that were asked for, in place of their price.
        AND NOT coalesce(c.app_currency = c.received_currency AND c.app_amount = c.expected_amount, FALSE)
),

explained AS (
    -- What the provider's fee left of it; a settlement in another currency says nothing of this amount.
    SELECT
        d.*,
        b.net
    FROM differing AS d
    LEFT JOIN recon.stripe_payment_intents AS i
        ON d.provider = 'stripe' AND d.account = i.account AND d.provider_ref = i.object_id
    LEFT JOIN recon.stripe_balance_transactions AS b
        ON
            i.account = b.account
            AND i.charge_id = b.source_id
            AND b.type IN ('charge', 'payment')
            AND d.currency = upper(b.currency)
            AND d.app_amount = b.net
            AND b.vanished_at IS NULL
    WHERE d.currency_differs OR d.amount_differs
)

SELECT
    e.provider,
    e.provider_ref,
    e.payment_id,
    e.user_id,
    u.username,
    e.app_status,
    e.raw_status AS provider_status,
    e.app_amount,
    e.app_currency,
    e.provider_amount,
    e.currency,
    CASE
        WHEN e.amount_differs AND e.currency_differs THEN 'amount, currency'
        WHEN e.amount_differs THEN 'amount'
        ELSE 'currency'
    END AS difference,
    CASE WHEN e.currency_differs THEN e.provider_amount ELSE abs(e.provider_amount - e.app_amount) END AS amount,
    e.state_changed_at AS provider_changed_at,
    'application says ' || cast(e.app_amount AS text) || ' ' || e.app_currency || ', provider says '
    || cast(e.provider_amount AS text) || ' ' || e.currency || CASE
        WHEN e.currency_differs THEN ': another currency'
        WHEN e.net IS NOT NULL THEN ': the application holds what the fee left of it'
        WHEN
            e.app_amount IN (
                e.provider_amount * 100, e.provider_amount * 10, e.provider_amount / 10, e.provider_amount / 100
            )
            THEN ': off by a power of ten, as when minor units are read with another currency''s decimals'
        WHEN e.app_amount = e.asked_amount AND e.provider_amount < e.asked_amount
            THEN ': a part was captured, the application books all of it'
        WHEN e.amount_refunded > 0 AND e.app_amount = e.provider_amount - e.amount_refunded
            THEN ': the application holds what a refund left of it, but its status tells of none'
        ELSE ''
    END AS reason
FROM explained AS e
LEFT JOIN recon.app_users AS u ON e.user_id = u.user_id
