/*---
title: Paid, but without what was paid for
why: >-
  The money is in and the user has no access. Users find out first, and ask for their money back.
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
intraday: touched
touched:
  by: user
  relations: [suspects.u, all_suspects.u]
params:
  grace_seconds: 120
  planless_days: 31
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
---*/
-- A user who has access on another tier than was bought is a matter of wrong_tier; one who lost it to a refund that
-- failed, of refunded_access. A payment for nothing that we know, neither plan nor booking, is looked at for
-- planless_days: a person must say what it bought. Judged on the payments as they are now, never on a table that is
-- refreshed at night.
WITH suspects AS (
    -- Payments of users without access, less those that lapsed by the application's own word. DISTINCT also keeps the
    -- verdicts, which cost look-ups, from being asked for anybody else.
    SELECT DISTINCT
        p.payment_id,
        u.user_id AS payer_id,
        u.username,
        u.subscription_status,
        u.subscription_tier,
        u.subscription_updated_at,
        u.trial_ends_at,
        coalesce(u.subscription_renewal_date, u.payment_due_date) AS renewal_at,
        u.subscription_status IN ('suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked') AS is_barred
    FROM recon.app_users AS u
    INNER JOIN recon.app_payments AS p ON u.user_id = p.user_id
    LEFT JOIN recon.plan_terms AS l ON p.plan_id = l.plan_id
    WHERE
        NOT coalesce(u.has_access, FALSE)
        AND NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
        AND p.booking_id IS NULL
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND (p.plan_id IS NOT NULL OR p.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :planless_days)
        AND (
            p.confirmed_at IS NULL
            OR l.is_lifetime
            OR p.confirmed_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * coalesce(l.longest_days, 366)
        )
),

ownerless AS (
    -- Payments that name no user here, though the provider's object does.
    SELECT
        p.payment_id,
        t.user_ref
    FROM recon.app_payments AS p
    INNER JOIN LATERAL (
        SELECT
            o.provider,
            o.account,
            o.provider_ref
        FROM recon.payment_objects AS o
        WHERE o.payment_id = p.payment_id
        ORDER BY o.way
        LIMIT 100
    ) AS x ON TRUE
    INNER JOIN recon.provider_transactions AS t
        ON x.provider = t.provider AND x.account = t.account AND x.provider_ref = t.provider_ref
    WHERE
        p.user_id IS NULL
        AND p.plan_id IS NOT NULL
        AND p.booking_id IS NULL
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND t.state = 'paid'
        AND t.user_ref IS NOT NULL
),

all_suspects AS (
    SELECT s.*
    FROM suspects AS s
    UNION ALL
    SELECT DISTINCT
        o.payment_id,
        u.user_id AS payer_id,
        u.username,
        u.subscription_status,
        u.subscription_tier,
        u.subscription_updated_at,
        u.trial_ends_at,
        coalesce(u.subscription_renewal_date, u.payment_due_date) AS renewal_at,
        u.subscription_status IN ('suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked') AS is_barred
    FROM ownerless AS o
    INNER JOIN recon.app_users AS u ON o.user_ref = cast(u.user_id AS text)
    WHERE
        NOT coalesce(u.has_access, FALSE)
        AND NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
),

paid AS (
    -- What of it is paid and still runs. Payments younger than the grace period are being processed: they neither count
    -- nor hide the one before. What was confirmed after as_of was not confirmed then; what went back since counted
    -- then, as far as is known what the user had.
    SELECT
        v.*,
        s.payer_id,
        s.username,
        s.subscription_status,
        s.subscription_tier,
        s.subscription_updated_at,
        s.trial_ends_at,
        s.renewal_at,
        s.is_barred,
        CASE WHEN v.confirmed_at > cast(:as_of AS timestamptz) THEN v.bought_at ELSE v.paid_at END AS known_paid_at
    FROM all_suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.payment_id = s.payment_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE
        (
            v.is_paid
            OR (v.counted_from <= cast(:as_of AS timestamptz) AND v.counted_until > cast(:as_of AS timestamptz))
        )
        AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE)
        AND CASE WHEN v.confirmed_at > cast(:as_of AS timestamptz) THEN v.bought_at ELSE v.paid_at END
        <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        AND (v.paid_until IS NULL OR v.paid_until > cast(:as_of AS timestamptz))
),

newest AS (
    SELECT
        p.*,
        row_number() OVER (
            PARTITION BY p.payer_id
            ORDER BY
                CASE WHEN p.plan_id IS NULL THEN 1 ELSE 0 END ASC, p.known_paid_at DESC, p.payment_id DESC
        ) AS choice
    FROM paid AS p
),

lacking AS (
    SELECT
        n.*,
        coalesce(n.subscription_status, '') IN ('canceled', 'cancelled')
        AND n.subscription_updated_at IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM recon.app_subscription_events AS e
            WHERE e.user_id = n.payer_id AND e.ends_access AND e.created_at <= cast(:as_of AS timestamptz)
        ) AS is_cancelled_some_day
    FROM newest AS n
    WHERE
        n.choice = 1
        AND NOT n.has_failed_refund
        -- Over by the application's own date, on the last day of a month that it counts as thirty days.
        AND NOT coalesce(
            n.period IN ('month', 'quarter', 'year')
            AND n.shortest_until <= cast(:as_of AS timestamptz)
            AND (
                n.renewal_at BETWEEN n.shortest_until AND cast(:as_of AS timestamptz)
                OR (
                    n.subscription_status = 'expired'
                    AND coalesce(n.subscription_updated_at, n.shortest_until) >= n.shortest_until
                )
            ),
            FALSE
        )
        -- Cancelled or paused by the user since, in an application that keeps no events.
        AND NOT (
            coalesce(n.subscription_status, '') IN ('canceled', 'cancelled', 'paused')
            AND coalesce(
                n.subscription_updated_at > n.bought_at
                AND n.subscription_updated_at <= cast(:as_of AS timestamptz),
                FALSE
            )
        )
),

events AS (
    -- A subscription that "expired" a day and more before the end of what was paid was not ended on purpose: a renewal
    -- that moved nothing. Some applications count a month as thirty days, hence the day.
    SELECT
        k.payer_id,
        e.created_at,
        coalesce(e.ends_access, FALSE)
        AND NOT (
            (
                lower(e.event_type) IN ('expired', 'subscription_expired')
                OR coalesce(lower(e.new_status), '') = 'expired'
            )
            AND k.is_known_period
            AND (k.shortest_until IS NULL OR e.created_at < k.shortest_until)
        ) AS ends_access,
        coalesce(lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(k.tier), FALSE) AS gives
    FROM lacking AS k
    INNER JOIN recon.app_subscription_events AS e ON k.payer_id = e.user_id AND k.bought_at < e.created_at
    WHERE e.created_at <= cast(:as_of AS timestamptz)
),

history AS (
    -- Since the payment: when access was last ended on purpose, and when what was bought was last given.
    SELECT
        e.payer_id,
        max(CASE WHEN e.ends_access AND NOT e.gives THEN e.created_at END) AS ended_at,
        max(CASE WHEN e.gives THEN e.created_at END) AS given_at
    FROM events AS e
    GROUP BY e.payer_id
),

gaps AS (
    SELECT k.*
    FROM lacking AS k
    -- A full join is no nested loop, whatever the database expects; it stays full as the coalesce hides the gaps.
    FULL JOIN history AS h ON k.payer_id = h.payer_id
    WHERE
        coalesce(k.payer_id IS NOT NULL, FALSE)
        AND (h.ended_at IS NULL OR h.ended_at <= h.given_at)
        -- Cancelled, nobody knows when: who never bought or tried anything before can have cancelled only this.
        AND NOT (
            k.is_cancelled_some_day
            AND k.trial_ends_at IS NULL
            AND NOT EXISTS (
                SELECT 1
                FROM recon.app_payments AS o
                WHERE
                    o.user_id = k.payer_id
                    AND o.payment_id <> k.payment_id
                    AND o.booking_id IS NULL
                    AND o.created_at <= k.created_at
            )
        )
),

nameless AS (
    -- Webhooks that went wrong before the inbox knew whose they were: they name the object. Few, but in an outage.
    SELECT
        w.webhook_id,
        w.provider,
        w.webhook_type,
        w.object_ref,
        w.signature_valid,
        w.processing_status,
        w.error_message,
        w.created_at
    FROM recon.app_webhook_logs AS w
    WHERE
        (w.processing_status IN ('received', 'processing', 'failed') OR NOT w.signature_valid)
        AND w.payment_id IS NULL
        AND w.user_id IS NULL
        AND w.object_ref IS NOT NULL
        AND w.created_at <= cast(:as_of AS timestamptz)
),

spoken AS (
    -- What they speak of. What is said of a checkout or a charge is said of its payment.
    SELECT
        w.*,
        w.object_ref AS meant,
        FALSE AS is_implied
    FROM nameless AS w
    UNION ALL
    SELECT
        w.*,
        s.payment_intent_id AS meant,
        TRUE AS is_implied
    FROM nameless AS w
    INNER JOIN recon.stripe_checkout_sessions AS s ON w.object_ref = s.object_id
    WHERE w.provider = 'stripe' AND substring(w.object_ref, 1, 3) = 'cs_'
    UNION ALL
    SELECT
        w.*,
        i.object_id AS meant,
        TRUE AS is_implied
    FROM nameless AS w
    INNER JOIN recon.stripe_payment_intents AS i ON w.object_ref = i.charge_id
    WHERE w.provider = 'stripe' AND substring(w.object_ref, 1, 3) IN ('ch_', 'py_')
),

names AS (
    SELECT
        g.*,
        g.provider_ref AS known_as,
        FALSE AS is_evidence
    FROM gaps AS g
    UNION ALL
    SELECT
        g.*,
        g.evidence_ref AS known_as,
        TRUE AS is_evidence
    FROM gaps AS g
    WHERE g.evidence_ref IS NOT NULL
),

words AS (
    -- What the inbox heard: of the payment, or of its payer since then. Asked for gap by gap.
    SELECT
        g.*,
        g.provider_ref AS known_as,
        FALSE AS is_evidence,
        w.webhook_id,
        w.webhook_type,
        w.signature_valid,
        w.processing_status,
        w.error_message,
        w.created_at AS webhook_at
    FROM gaps AS g
    LEFT JOIN LATERAL (
        SELECT p.*
        FROM recon.app_webhook_logs AS p
        WHERE g.payment_id = p.payment_id
        UNION ALL
        -- As a CASE, because then no index but the payer's can serve: of a table that it knows nothing of the database
        -- may take that of the provider, or of what names no payment, and read all of it for each gap.
        SELECT u.*
        FROM recon.app_webhook_logs AS u
        WHERE
            g.payer_id = u.user_id
            AND CASE
                WHEN u.payment_id IS NULL AND u.provider = g.provider AND g.created_at <= u.created_at THEN 1 ELSE 0
            END = 1
    ) AS w ON w.created_at <= cast(:as_of AS timestamptz)
    UNION ALL
    -- And of its object. The planner expects one row on either side, an outage leaves tens of thousands: a full join is
    -- no nested loop, and stays full as long as a CASE says which rows count.
    SELECT
        n.*,
        s.webhook_id,
        s.webhook_type,
        s.signature_valid,
        s.processing_status,
        s.error_message,
        s.created_at AS webhook_at
    FROM names AS n
    FULL JOIN spoken AS s ON n.provider = s.provider AND n.known_as = s.meant
    WHERE
        CASE
            WHEN n.payer_id IS NULL OR s.webhook_id IS NULL THEN FALSE
            WHEN NOT s.is_implied THEN TRUE
            ELSE n.is_evidence AND s.object_ref <> coalesce(n.provider_ref, '')
        END
),

last_words AS (
    -- The last webhook of each type; a redelivery makes good what went wrong before, another event does not.
    SELECT
        w.*,
        cast(:as_of AS timestamptz) - w.known_paid_at AS age,
        CASE
            WHEN w.signature_valid = FALSE OR w.processing_status IN ('received', 'processing', 'failed') THEN 0
            ELSE 1
        END AS rank,
        row_number() OVER (
            PARTITION BY w.payer_id, coalesce(w.webhook_type, '')
            ORDER BY w.webhook_at DESC NULLS LAST, w.webhook_id DESC NULLS LAST
        ) AS place
    FROM words AS w
),

explained AS (
    -- What went wrong last tells where the activation was lost.
    SELECT
        w.*,
        row_number() OVER (
            PARTITION BY w.payer_id
            ORDER BY
                CASE WHEN w.webhook_id IS NULL THEN 1 ELSE 0 END ASC, w.rank ASC, w.webhook_at DESC, w.webhook_id DESC
        ) AS last_webhook
    FROM last_words AS w
    WHERE w.place = 1
)

SELECT
    g.payer_id AS user_id,
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
    g.known_paid_at AS paid_at,
    cast(
        extract(DAY FROM g.age) * 86400 + extract(HOUR FROM g.age) * 3600
        + extract(MINUTE FROM g.age) * 60 + extract(SECOND FROM g.age) AS bigint
    ) AS seconds_since_payment,
    CASE
        WHEN g.plan_id IS NULL THEN 'no plan is written on the payment: a person must decide'
        WHEN g.known_plan_id IS NULL THEN 'unknown plan: a person must decide'
        WHEN g.user_id IS NULL THEN 'the payment names no user, the provider names this one: a person must decide'
        WHEN g.is_barred THEN 'user is ' || g.subscription_status || ': a person must decide'
        WHEN g.is_disputed THEN 'payment is disputed: a person must decide'
        WHEN NOT g.is_his_alone THEN 'payment may be another user''s: a person must decide'
        WHEN g.is_cancelled_some_day THEN 'user is canceled, nobody knows since when: a person must decide'
        WHEN g.signature_valid = FALSE THEN 'webhook refused: signature invalid'
        WHEN g.processing_status = 'failed'
            THEN 'webhook failed: ' || substring(coalesce(g.error_message, 'no error was stored'), 1, 300)
        WHEN g.processing_status IN ('received', 'processing') THEN 'webhook stuck'
        WHEN g.processing_status IS NULL THEN 'webhook never came'
        ELSE 'processed and lost'
    END AS reason,
    (
        g.tier IS NOT NULL
        AND g.is_full_price
        AND g.is_his_alone
        AND NOT g.is_disputed
        AND g.is_paid
        AND NOT coalesce(g.is_barred, FALSE)
        AND NOT g.is_cancelled_some_day
        AND g.user_id IS NOT NULL
        AND g.is_known_period
    ) AS repairable
FROM explained AS g
WHERE g.last_webhook = 1
