/*---
title: Money without a payment
why: >-
  Somebody paid and the application does not know: the customer has nothing for their money, and nobody will give it to
  them or back.
severity: HIGH
what_to_do: >-
  Find out what was bought, from the customer and the object at the provider. Record the payment and give what was paid
  for, or refund it.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents, charges, checkout_sessions]
  nowpayments: [payments]
unconfigured: withhold
intraday: full
params:
  grace_seconds: 900
  same_days: 3
action: null
columns:
  provider: Who has the money.
  provider_ref: The provider's id of the payment.
  user_id: The payer, where the provider's object leads to one; never chosen among several.
  username: The payer's name in the application, where their customer id is known.
  payment_id: The application's payment that the object names, though another object settles it.
  customer_ref: The provider's id of the customer.
  provider_status: Status as the provider calls it.
  provider_state: The same in canonical words.
  amount: What was paid or is held, in major units; in crypto, the price.
  currency: Currency of the amount.
  provider_created_at: When the provider's object was made (UTC).
  provider_changed_at: When its state last changed (UTC).
  link_method: How far the link to the application goes, none or customer or metadata or checkout or ambiguous.
  reason: Why no payment of the application stands for it.
---*/
-- The rule. Money (paid, held, short, under way) of which no payment of the application is known to stand for: no row
-- refers to the object, and the object names no row that could be its own. An object that leads to a user and to no
-- payment is one of them. Charges of other products are told by foreign_charges, deposits by the crypto reports; a
-- repeated deposit belongs to its parent. Test money is none, in a database that knows live accounts.
-- A row that the application counts and that refers to no payment (an invoice, a subscription, a checkout, nothing)
-- stands for one object of the same payer, sum and state made within same_days of it: renewals name only the customer.
-- Rows are given out so that as many objects as possible have one each; where some have none, it is the later ones.
WITH RECURSIVE siblings AS (
    -- Of several objects that name one payment the first that was paid stands for it, as in recon.payment_verdicts.
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.parent_ref,
        t.payment_ref,
        t.state_changed_at,
        row_number() OVER (
            PARTITION BY t.provider, t.payment_ref
            ORDER BY
                CASE WHEN t.state = 'paid' THEN 0 ELSE 1 END ASC, t.provider_created_at ASC, t.account ASC,
                t.provider_ref ASC
        ) AS place
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'payment'
        AND t.link_method IN ('metadata', 'checkout')
        AND t.payment_ref IS NOT NULL
        AND t.parent_ref IS NULL
        AND t.state IN ('paid', 'authorized', 'partially_paid', 'processing')
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
),

unlinked AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.parent_ref,
        cast(NULL AS text) AS named_payment
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'payment'
        AND t.payment_ref IS NULL
        AND t.link_method <> 'foreign'
        AND t.state IN ('paid', 'authorized', 'partially_paid', 'processing')
        AND t.state_changed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
    UNION
    -- It names a payment that another object stands for already: a second payment for the same thing.
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        t.parent_ref,
        t.payment_ref AS named_payment
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.payment_ref = cast(p.payment_id AS text)
    INNER JOIN recon.provider_transactions AS o
        ON p.provider = o.provider AND p.provider_ref = o.provider_ref AND o.kind = 'payment'
    WHERE
        t.kind = 'payment'
        AND t.link_method IN ('metadata', 'checkout')
        AND t.state IN ('paid', 'authorized', 'partially_paid', 'processing')
        AND t.state_changed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        AND t.provider_ref <> o.provider_ref
    UNION
    -- So does another that was made before, as the payment itself refers to none.
    SELECT
        s.provider,
        s.account,
        s.provider_ref,
        s.parent_ref,
        s.payment_ref AS named_payment
    FROM siblings AS s
    INNER JOIN recon.payment_objects AS o
        ON s.provider = o.provider AND s.account = o.account AND s.provider_ref = o.provider_ref
    WHERE
        s.place > 1
        AND o.way = 3
        AND s.state_changed_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
),

orphans AS (
    SELECT
        t.*,
        x.named_payment,
        CASE
            WHEN t.provider = 'stripe' AND t.state = 'paid' AND t.amount_received > 0 THEN t.amount_received
            ELSE t.amount
        END AS sum_taken
    FROM unlinked AS x
    INNER JOIN recon.provider_transactions AS t
        ON x.provider = t.provider AND x.account = t.account AND x.provider_ref = t.provider_ref
    LEFT JOIN recon.known_accounts AS k ON t.provider = k.provider AND t.account = k.account
    LEFT JOIN recon.provider_transactions AS o
        ON t.provider = o.provider AND t.account = o.account AND t.parent_ref = o.provider_ref
    LEFT JOIN recon.stripe_payment_intents AS i
        ON t.provider = 'stripe' AND t.account = i.account AND t.provider_ref = i.object_id
    LEFT JOIN recon.app_payments AS p
        ON
            t.provider = p.provider
            AND t.provider_ref = p.provider_ref
            AND p.created_at <= cast(:as_of AS timestamptz)
    LEFT JOIN recon.app_payments AS c
        ON t.provider = c.provider AND i.charge_id = c.provider_ref AND c.created_at <= cast(:as_of AS timestamptz)
    WHERE
        t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND (k.is_money OR k.account IS NULL)
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
        AND t.livemode = coalesce(k.livemode, t.livemode)
        -- Referred to by payments of several users: ambiguous, but no orphan.
        AND p.payment_id IS NULL
        AND c.payment_id IS NULL
        AND o.provider_ref IS NULL
),

renewals AS (
    SELECT
        o.provider,
        o.account,
        o.provider_ref,
        o.user_ref,
        o.state,
        o.sum_taken,
        o.currency,
        o.provider_created_at
    FROM orphans AS o
    WHERE o.link_method = 'customer' AND o.named_payment IS NULL
),

payers AS (
    SELECT
        r.provider,
        r.user_ref,
        r.state,
        r.sum_taken,
        r.currency,
        min(r.provider_created_at) AS first_at,
        max(r.provider_created_at) AS last_at
    FROM renewals AS r
    GROUP BY r.provider, r.user_ref, r.state, r.sum_taken, r.currency
),

sides AS (
    -- Objects, and the rows that may stand for them.
    SELECT
        r.provider,
        r.user_ref,
        r.state,
        r.sum_taken,
        r.currency,
        r.provider_created_at AS at,
        r.account,
        r.provider_ref AS reference,
        0 AS is_row
    FROM renewals AS r
    UNION ALL
    SELECT
        r.provider,
        r.user_ref,
        r.state,
        r.sum_taken,
        r.currency,
        p.created_at AS at,
        '' AS account,
        cast(p.payment_id AS text) AS reference,
        1 AS is_row
    FROM payers AS r
    INNER JOIN recon.app_users AS u ON r.user_ref = cast(u.user_id AS text)
    INNER JOIN recon.app_payments AS p ON u.user_id = p.user_id AND r.provider = p.provider
    INNER JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment' AND r.state = m.state
    LEFT JOIN LATERAL (
        SELECT x.provider_ref FROM recon.payment_objects AS x WHERE x.payment_id = p.payment_id ORDER BY x.way LIMIT 1
    ) AS s ON TRUE
    WHERE
        p.amount = r.sum_taken
        AND p.currency = r.currency
        AND coalesce(substring(p.provider_ref, 1, 3), '') NOT IN ('pi_', 'ch_', 'py_')
        AND p.created_at > r.first_at - INTERVAL '1' DAY * :same_days
        AND p.created_at < r.last_at + INTERVAL '1' DAY * :same_days
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND s.provider_ref IS NULL
),

spaced AS (
    SELECT
        l.*,
        lag(l.at) OVER (
            PARTITION BY l.provider, l.user_ref, l.state, l.sum_taken, l.currency ORDER BY l.at ASC
        ) AS before_at
    FROM sides AS l
),

cut AS (
    SELECT
        s.*,
        CASE WHEN s.at < s.before_at + INTERVAL '1' DAY * :same_days THEN 0 ELSE 1 END AS is_apart
    FROM spaced AS s
),

clusters AS (
    -- What lies apart in time has nothing to do with each other.
    SELECT
        c.*,
        sum(c.is_apart) OVER (
            ORDER BY
                c.provider ASC, c.user_ref ASC, c.state ASC, c.sum_taken ASC, c.currency ASC, c.at ASC,
                c.is_apart DESC, c.is_row ASC, c.account ASC, c.reference ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS cluster
    FROM cut AS c
),

queues AS (
    SELECT
        c.cluster,
        c.is_row,
        c.at,
        c.provider,
        c.account,
        c.reference,
        row_number() OVER (
            PARTITION BY c.cluster, c.is_row ORDER BY c.at ASC, c.account ASC, c.reference ASC
        ) AS place,
        count(*) OVER (PARTITION BY c.cluster) AS members,
        sum(c.is_row) OVER (PARTITION BY c.cluster) AS rows_among_them
    FROM clusters AS c
),

tangled AS (
    -- Nearly always one row is near one object; what is more is gone through step by step.
    SELECT q.*
    FROM queues AS q
    WHERE q.members > 2 AND q.rows_among_them > 0
),

steps AS (
    -- Object after object and row after row in the order of time, in all clusters at once: whichever of the two heads
    -- is too old for the other leaves its queue; two that fit leave together.
    SELECT
        q.cluster,
        cast(1 AS bigint) AS next_object,
        cast(1 AS bigint) AS next_row,
        FALSE AS fits
    FROM tangled AS q
    WHERE q.is_row = 1 AND q.place = 1
    UNION ALL
    SELECT
        s.cluster,
        s.next_object + CASE WHEN r.at > o.at - INTERVAL '1' DAY * :same_days THEN 1 ELSE 0 END AS next_object,
        s.next_row + CASE WHEN r.at < o.at + INTERVAL '1' DAY * :same_days THEN 1 ELSE 0 END AS next_row,
        (
            r.at > o.at - INTERVAL '1' DAY * :same_days
            AND r.at < o.at + INTERVAL '1' DAY * :same_days
        ) AS fits
    FROM steps AS s
    INNER JOIN tangled AS o ON s.cluster = o.cluster AND s.next_object = o.place AND o.is_row = 0
    INNER JOIN tangled AS r ON s.cluster = r.cluster AND s.next_row = r.place AND r.is_row = 1
),

counted AS (
    SELECT
        q.provider,
        q.account,
        q.reference AS provider_ref
    FROM steps AS s
    INNER JOIN tangled AS q ON s.cluster = q.cluster AND s.next_object - 1 = q.place AND q.is_row = 0
    WHERE s.fits
    UNION ALL
    SELECT
        q.provider,
        q.account,
        q.reference AS provider_ref
    FROM queues AS q
    WHERE q.members = 2 AND q.rows_among_them = 1 AND q.is_row = 0
)

SELECT
    o.provider,
    o.provider_ref,
    o.user_ref AS user_id,
    u.username,
    o.named_payment AS payment_id,
    o.customer_ref,
    o.raw_status AS provider_status,
    o.state AS provider_state,
    o.sum_taken AS amount,
    o.currency,
    o.provider_created_at,
    o.state_changed_at AS provider_changed_at,
    o.link_method,
    CASE
        WHEN o.named_payment IS NOT NULL
            THEN 'it names payment ' || o.named_payment || ', which stands for another object at the provider'
        WHEN o.link_method = 'ambiguous' THEN 'several users could have paid it, and no payment refers to it'
        WHEN o.user_ref IS NOT NULL
            THEN 'paid by user ' || o.user_ref || ' as their ' || o.link_method || ' says, but no payment refers to it'
        ELSE 'no payment refers to it, and it names nobody we know'
    END AS reason
FROM orphans AS o
LEFT JOIN counted AS c ON o.provider = c.provider AND o.account = c.account AND o.provider_ref = c.provider_ref
LEFT JOIN recon.app_users AS u ON o.customer_ref = u.stripe_customer_id AND o.user_ref = cast(u.user_id AS text)
WHERE c.provider_ref IS NULL
