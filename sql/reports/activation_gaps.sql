/*---
title: Paid, but without what was paid for
why: >-
  The money is in and the user has no access, or another tier than the newest payment bought. Users find out first,
  and ask for their money back.
severity: CRITICAL
what_to_do: >-
  Apply the proposed repair activate_subscription (dry run first). If repairable is false, look the payment up at the
  provider and decide by hand. Then follow the reason: it says where the webhook was lost.
key: [user_id]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
params:
  grace_seconds: 120
  tolerance: 0.02
action: activate_subscription
columns:
  user_id: The user.
  username: The user's name in the application.
  plan: Name of the plan that was bought; empty when there is no such plan.
  payment_status: Status of the payment as the application wrote it.
  subscription_status: What the application says of the user's subscription.
  subscription_tier: Tier the user has.
  expected_tier: Tier that was bought; empty when the plan is unknown, then a person decides.
  plan_id: The plan that was bought.
  provider: Who took the money.
  provider_ref: The provider's id of the payment.
  payment_id: The application's id of the payment.
  amount: Paid, in major units, as the application wrote it down.
  currency: Currency of the amount.
  paid_at: When it was paid (UTC).
  seconds_since_payment: Seconds from then until this report.
  reason: Where the activation was lost, as far as the webhook inbox tells.
  repairable: Whether activate_subscription may be proposed without a person looking first.
  severity: MEDIUM where the user has access and only the plan is unknown, else CRITICAL.
---*/
WITH suspects AS (
    -- Users who lack something that one of their payments may have bought: the others need no further look.
    SELECT DISTINCT
        u.user_id,
        u.username,
        u.subscription_status,
        u.subscription_tier,
        u.subscription_updated_at,
        u.subscription_renewal_date,
        u.subscription_status IN ('suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked') AS is_barred,
        coalesce(u.has_access, FALSE) AS has_access
    FROM recon.app_payments AS p
    INNER JOIN recon.app_users AS u ON p.user_id = u.user_id
    LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
    WHERE
        p.plan_id IS NOT NULL
        AND p.booking_id IS NULL
        AND NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
        AND (
            NOT coalesce(u.has_access, FALSE)
            OR l.plan_id IS NULL
            OR lower(u.subscription_tier) IS DISTINCT FROM lower(l.tier)
        )
),

purchases AS (
    SELECT
        p.payment_id,
        p.user_id,
        p.plan_id,
        p.provider,
        p.provider_ref,
        p.status,
        p.amount,
        p.currency,
        p.crypto_currency,
        p.crypto_amount,
        p.deposit_address,
        p.deposit_tag,
        p.created_at,
        p.confirmed_at,
        coalesce(p.tx_hash, p.provider_ref) AS tx_hash,
        coalesce(m.state, 'unknown') AS app_state
    FROM suspects AS s
    INNER JOIN recon.app_payments AS p ON s.user_id = p.user_id
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE p.plan_id IS NOT NULL AND p.booking_id IS NULL
),

candidates AS (
    -- 1: by the provider's id. 2: a deposit by its transaction hash. 3: the application never stored the provider's
    -- id, but the provider's object carries the payment's id.
    SELECT
        p.payment_id,
        t.provider,
        t.account,
        t.provider_ref,
        1 AS way
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    WHERE t.kind IN ('payment', 'deposit')
    UNION ALL
    SELECT
        p.payment_id,
        t.provider,
        t.account,
        t.provider_ref,
        2 AS way
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.tx_hash = t.tx_hash
    WHERE
        t.kind = 'deposit'
        AND coalesce(t.deposit_address, '') = coalesce(p.deposit_address, t.deposit_address, '')
        AND coalesce(t.deposit_tag, '') = coalesce(p.deposit_tag, t.deposit_tag, '')
    UNION ALL
    SELECT
        p.payment_id,
        t.provider,
        t.account,
        t.provider_ref,
        3 AS way
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t
        ON p.provider = t.provider AND cast(p.payment_id AS text) = t.payment_ref
    WHERE
        p.provider_ref IS NULL
        AND t.kind = 'payment'
        AND t.parent_ref IS NULL
        AND t.link_method IN ('metadata', 'checkout')
),

received_in_parts AS (
    -- A gateway's repeated deposits are objects of their own, children of the first.
    SELECT
        c.payment_id,
        t.received_currency,
        sum(t.amount_received) AS amount
    FROM candidates AS c
    INNER JOIN recon.provider_transactions AS t
        ON c.provider = t.provider AND c.account = t.account AND c.provider_ref = t.parent_ref
    WHERE c.way = 1 AND t.kind = 'payment' AND t.state IN ('paid', 'partially_paid')
    GROUP BY c.payment_id, t.received_currency
),

evidence AS (
    -- The provider's word on each payment, one row a payment: the surest link first, then what is paid.
    SELECT
        p.payment_id,
        t.kind,
        t.state,
        t.currency,
        t.amount_refunded,
        t.paid_at,
        t.disputed,
        CASE
            WHEN t.amount_received > 0 AND coalesce(t.received_currency, t.currency) = t.currency
                THEN t.amount_received
            ELSE t.amount
        END AS amount,
        CASE
            WHEN
                t.amount_refunded > 0
                AND (
                    t.amount_refunded >= t.amount
                    OR (
                        t.amount_refunded >= t.amount_received
                        AND t.amount_received > 0
                        AND coalesce(t.received_currency, t.currency) = t.currency
                    )
                )
                THEN 'refused'
            -- Another coin, or less of it than was asked for, pays for nothing.
            WHEN
                t.kind = 'deposit'
                AND (t.currency <> p.crypto_currency OR t.amount < p.crypto_amount * (1 - :tolerance))
                THEN 'refused'
            WHEN t.state = 'paid' THEN 'paid'
            WHEN
                t.raw_status = 'partially_paid'
                AND t.amount_received + coalesce(r.amount, 0) >= (1 - :tolerance) * coalesce(
                    t.expected_amount, CASE WHEN t.received_currency = p.crypto_currency THEN p.crypto_amount END
                )
                THEN 'silent'
            -- The application took the provider's own word over: a gateway's "confirmed" is as good as paid to it.
            WHEN t.state = 'processing' AND lower(t.raw_status) = p.status THEN 'silent'
            ELSE 'refused'
        END AS verdict,
        t.link_method NOT IN ('ambiguous', 'foreign') AS is_sure,
        row_number() OVER (
            PARTITION BY p.payment_id
            ORDER BY
                c.way ASC,
                CASE WHEN t.kind = 'deposit' AND t.currency <> p.crypto_currency THEN 1 ELSE 0 END ASC,
                CASE WHEN t.state = 'paid' THEN 0 ELSE 1 END ASC,
                t.state_changed_at DESC,
                t.account ASC,
                t.provider_ref ASC
        ) AS choice
    FROM candidates AS c
    INNER JOIN purchases AS p ON c.payment_id = p.payment_id
    INNER JOIN recon.provider_transactions AS t
        ON c.provider = t.provider AND c.account = t.account AND c.provider_ref = t.provider_ref
    LEFT JOIN received_in_parts AS r
        ON c.payment_id = r.payment_id AND t.received_currency = r.received_currency
    WHERE t.vanished_at IS NULL
),

returned AS (
    -- Refunds speak for themselves where the payment they return was never read.
    SELECT
        p.payment_id,
        sum(t.amount) AS amount
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t
        ON p.provider = t.provider AND p.provider_ref = t.parent_ref AND p.currency = t.currency
    WHERE t.kind = 'refund' AND t.state = 'refunded' AND t.vanished_at IS NULL
    GROUP BY p.payment_id
),

shared AS (
    -- One object of the provider never pays for two people, nor one deposit for two payments.
    SELECT p.payment_id
    FROM purchases AS p
    INNER JOIN recon.app_payments AS o ON p.provider = o.provider AND p.provider_ref = o.provider_ref
    WHERE o.user_id <> p.user_id
    UNION
    SELECT p.payment_id
    FROM purchases AS p
    INNER JOIN recon.app_payments AS o ON p.provider = o.provider AND p.tx_hash = o.tx_hash
    WHERE
        o.payment_id <> p.payment_id
        AND coalesce(o.deposit_address, p.deposit_address, '') = coalesce(p.deposit_address, o.deposit_address, '')
        AND coalesce(o.deposit_tag, p.deposit_tag, '') = coalesce(p.deposit_tag, o.deposit_tag, '')
),

paid AS (
    SELECT
        p.payment_id,
        p.user_id,
        p.plan_id,
        p.provider,
        p.provider_ref,
        p.status,
        p.amount,
        p.currency,
        p.created_at,
        l.plan_id AS known_plan_id,
        l.plan_name,
        l.tier,
        l.price,
        l.currency AS price_currency,
        lower(l.period) AS period,
        coalesce(p.confirmed_at, e.paid_at, p.created_at) AS paid_at,
        coalesce(
            p.app_state = 'paid'
            OR (e.amount = p.amount AND e.currency = p.currency)
            OR (p.crypto_amount IS NOT NULL AND (p.crypto_currency IS NOT NULL OR e.kind <> 'deposit')),
            FALSE
        ) AS is_full_price,
        coalesce(e.is_sure, TRUE) AND o.payment_id IS NULL AS is_his_alone,
        coalesce(e.disputed, FALSE) AS is_disputed
    FROM purchases AS p
    LEFT JOIN evidence AS e ON p.payment_id = e.payment_id AND e.choice = 1
    LEFT JOIN returned AS b ON p.payment_id = b.payment_id
    LEFT JOIN shared AS o ON p.payment_id = o.payment_id
    LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
    WHERE
        (
            p.app_state = 'paid'
            AND coalesce(e.verdict, CASE WHEN b.amount >= p.amount THEN 'refused' END, 'silent') IN ('paid', 'silent')
        )
        OR (p.app_state <> 'refunded' AND e.verdict = 'paid' AND e.is_sure AND o.payment_id IS NULL)
),

termed AS (
    -- Until when what was bought runs: for ever is a thousand years, and of an unknown period we suppose the longest.
    SELECT
        p.*,
        CASE p.period
            WHEN 'day' THEN p.paid_at + INTERVAL '1' DAY
            WHEN 'week' THEN p.paid_at + INTERVAL '7' DAY
            WHEN 'month' THEN p.paid_at + INTERVAL '1' MONTH
            WHEN 'quarter' THEN p.paid_at + INTERVAL '3' MONTH
            WHEN 'lifetime' THEN cast(:as_of AS timestamptz) + INTERVAL '1000' YEAR
            ELSE p.paid_at + INTERVAL '1' YEAR
        END AS runs_until,
        p.price / CASE p.period
            WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 30 WHEN 'quarter' THEN 91 WHEN 'year' THEN 365
        END AS price_a_day
    FROM paid AS p
),

newest AS (
    -- What has lapsed is not relevant any more. Payments younger than the grace period are being processed: they
    -- neither count nor hide the one before.
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.user_id ORDER BY p.paid_at DESC, p.payment_id DESC) AS choice
    FROM termed AS p
    WHERE
        p.paid_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        AND p.runs_until > cast(:as_of AS timestamptz)
),

lacking AS (
    SELECT
        n.payment_id,
        n.user_id,
        n.plan_id,
        n.provider,
        n.provider_ref,
        n.status,
        n.amount,
        n.currency,
        n.created_at,
        n.known_plan_id,
        n.plan_name,
        n.tier,
        n.period,
        n.paid_at,
        n.is_full_price,
        n.is_his_alone,
        n.is_disputed,
        s.username,
        s.subscription_status,
        s.subscription_tier,
        s.subscription_updated_at,
        s.has_access,
        s.is_barred,
        -- An activation would cut short what the user has: a time bought before on another tier, unless this is
        -- plainly the dearer of the two and runs longer, or a later date of renewal.
        s.has_access AND (
            EXISTS (
                SELECT 1 FROM termed AS o
                WHERE
                    o.user_id = n.user_id
                    AND o.payment_id <> n.payment_id
                    AND lower(o.tier) IS DISTINCT FROM lower(n.tier)
                    AND o.runs_until > cast(:as_of AS timestamptz)
                    AND NOT coalesce(
                        o.price_currency = n.price_currency
                        AND o.price_a_day < n.price_a_day
                        AND o.runs_until <= n.runs_until,
                        FALSE
                    )
            )
            OR coalesce(
                lower(s.subscription_tier) <> lower(n.tier) AND s.subscription_renewal_date > n.runs_until, FALSE
            )
        ) AS takes_away
    FROM newest AS n
    INNER JOIN suspects AS s ON n.user_id = s.user_id
    WHERE
        n.choice = 1
        AND (
            NOT s.has_access
            OR n.tier IS NULL
            OR lower(s.subscription_tier) IS DISTINCT FROM lower(n.tier)
        )
        -- Cancelled by the user since, in an application that keeps no events.
        AND NOT (
            n.paid_at < coalesce(s.subscription_updated_at, n.paid_at)
            AND coalesce(s.subscription_status, '') IN ('canceled', 'cancelled')
        )
        -- On the tier of a later payment: seconds old, or over by now.
        AND NOT EXISTS (
            SELECT 1 FROM paid AS f
            WHERE
                f.user_id = n.user_id
                AND s.has_access
                AND lower(f.tier) = lower(s.subscription_tier)
                AND f.paid_at > n.paid_at
        )
),

events AS (
    SELECT
        k.user_id,
        e.created_at,
        coalesce(e.ends_access, FALSE) AS ends_access,
        coalesce(lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(k.tier), FALSE) AS gives
    FROM lacking AS k
    INNER JOIN recon.app_subscription_events AS e ON k.user_id = e.user_id AND k.paid_at < e.created_at
),

history AS (
    -- Since the payment: when access was last ended on purpose, and when what was bought was last given.
    SELECT
        e.user_id,
        max(CASE WHEN e.ends_access AND NOT e.gives THEN e.created_at END) AS ended_at,
        max(CASE WHEN e.gives THEN e.created_at END) AS given_at
    FROM events AS e
    GROUP BY e.user_id
),

gaps AS (
    SELECT k.*
    FROM lacking AS k
    LEFT JOIN history AS h ON k.user_id = h.user_id
    WHERE h.ended_at IS NULL OR h.ended_at <= h.given_at
),

webhooks AS (
    SELECT
        g.*,
        w.webhook_id,
        w.signature_valid,
        w.processing_status,
        w.error_message,
        w.created_at AS webhook_at
    FROM gaps AS g
    LEFT JOIN recon.app_webhook_logs AS w ON g.payment_id = w.payment_id
    UNION ALL
    SELECT
        g.*,
        w.webhook_id,
        w.signature_valid,
        w.processing_status,
        w.error_message,
        w.created_at AS webhook_at
    FROM gaps AS g
    INNER JOIN recon.app_webhook_logs AS w ON g.user_id = w.user_id AND g.created_at <= w.created_at
    WHERE w.payment_id IS NULL AND w.provider = g.provider
),

explained AS (
    -- The last webhook about the payment tells where the activation was lost.
    SELECT
        w.*,
        cast(:as_of AS timestamptz) - w.paid_at AS age,
        row_number() OVER (
            PARTITION BY w.user_id ORDER BY w.webhook_at DESC NULLS LAST, w.webhook_id DESC NULLS LAST
        ) AS last_webhook
    FROM webhooks AS w
)

SELECT
    g.user_id,
    g.username,
    g.plan_name AS plan,
    g.status AS payment_status,
    g.subscription_status,
    g.subscription_tier,
    g.tier AS expected_tier,
    g.plan_id,
    g.provider,
    g.provider_ref,
    g.payment_id,
    g.amount,
    g.currency,
    g.paid_at,
    cast(
        extract(DAY FROM g.age) * 86400 + extract(HOUR FROM g.age) * 3600
        + extract(MINUTE FROM g.age) * 60 + extract(SECOND FROM g.age) AS bigint
    ) AS seconds_since_payment,
    CASE
        WHEN g.known_plan_id IS NULL THEN 'unknown plan: a person must decide'
        WHEN g.is_barred THEN 'user is ' || g.subscription_status || ': a person must decide'
        WHEN g.is_disputed THEN 'payment is disputed: a person must decide'
        WHEN NOT g.is_his_alone THEN 'payment may be another user''s: a person must decide'
        WHEN g.takes_away THEN 'wrong tier, but other paid time still runs: a person must decide'
        WHEN g.signature_valid = FALSE THEN 'webhook refused: signature invalid'
        WHEN g.processing_status = 'failed'
            THEN 'webhook failed: ' || substring(coalesce(g.error_message, 'no error was stored'), 1, 300)
        WHEN g.processing_status IN ('received', 'processing') THEN 'webhook stuck'
        WHEN g.has_access THEN 'wrong tier'
        WHEN g.processing_status IS NULL THEN 'webhook never came'
        ELSE 'processed and lost'
    END AS reason,
    (
        g.tier IS NOT NULL
        AND g.is_full_price
        AND g.is_his_alone
        AND NOT g.is_disputed
        AND NOT g.takes_away
        AND NOT coalesce(g.is_barred, FALSE)
        AND coalesce(g.period, '') IN ('day', 'week', 'month', 'quarter', 'year', 'lifetime')
    ) AS repairable,
    CASE WHEN g.tier IS NULL AND g.has_access THEN 'MEDIUM' ELSE 'CRITICAL' END AS severity
FROM explained AS g
WHERE g.last_webhook = 1
