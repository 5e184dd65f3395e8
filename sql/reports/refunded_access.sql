/*---
title: Money returned and access kept, or the reverse
why: >-
  The payment was refunded or lost in a dispute and the user still has what it bought; or the refund failed, the money
  stayed, and the access is gone.
severity: HIGH
what_to_do: >-
  Still has access: end it, or write down why it stays (access_override_until). Access taken away: pay the refund in
  another way, or give the access back.
key: [user_id]
coverage:
  stripe: [payment_intents, refunds, disputes]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
intraday: touched
touched:
  by: user
  relations: [returns.p, suspects.u]
params:
  grace_seconds: 300
  processing_days: 14
  tolerance: 0.02
action: revoke_access
columns:
  user_id: The user.
  username: The user's name in the application.
  subscription_status: What the application says of the user's subscription.
  subscription_tier: Tier the user has.
  plan: Name of the plan that was paid.
  direction: access kept (money returned) or access taken (the refund failed, or was of a part).
  payment_status: Status of the payment as the application wrote it.
  provider: Who took the money.
  provider_ref: The provider's id of the payment.
  payment_id: The application's id of the payment.
  amount: Paid, in major units, as the application wrote it down.
  currency: Currency of the amount.
  paid_at: When it was paid (UTC).
  returned_at: When the money went back, as far as is known (UTC); empty where it stayed.
  runs_until: When the period that was bought ends (UTC); empty for lifetime plans.
  reason: Why we say so.
---*/
-- A refund of a part keeps access. Another payment that runs keeps access too, unless the user is on the tier of the
-- one that was returned: then said here, not in wrong_tier. Once the period is over it is a matter of unpaid_access.
WITH returns AS (
    -- Payments that one side calls returned, and refunds that failed: few. What they amount to is judged below.
    SELECT p.user_id
    FROM recon.app_payments AS p
    INNER JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment' AND m.state = 'refunded'
    WHERE p.booking_id IS NULL
    UNION
    SELECT p.user_id
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    WHERE
        t.kind IN ('payment', 'deposit')
        AND (t.state = 'refunded' OR (t.amount_refunded > 0 AND t.amount_refunded >= t.amount) OR t.disputed)
        AND p.booking_id IS NULL
    UNION
    SELECT p.user_id
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.parent_ref = p.provider_ref
    WHERE t.kind = 'refund' AND t.parent_ref IS NOT NULL AND p.booking_id IS NULL
    UNION
    -- Objects that stand for a payment although the application never stored their id.
    SELECT p.user_id
    FROM recon.payment_objects AS o
    INNER JOIN recon.provider_transactions AS t
        ON o.provider = t.provider AND o.account = t.account AND o.provider_ref = t.provider_ref
    INNER JOIN recon.app_payments AS p ON o.payment_id = p.payment_id
    WHERE
        o.way > 1
        AND (t.state = 'refunded' OR t.amount_refunded > 0 OR t.disputed)
        AND p.booking_id IS NULL
    UNION
    SELECT p.user_id
    FROM recon.payment_objects AS o
    INNER JOIN recon.provider_transactions AS t
        ON o.provider = t.provider AND o.account = t.account AND o.provider_ref = t.parent_ref AND t.kind = 'refund'
    INNER JOIN recon.app_payments AS p ON o.payment_id = p.payment_id
    WHERE o.way > 1 AND p.booking_id IS NULL
    UNION
    -- Lost in a dispute, though the payment was not read again since.
    SELECT p.user_id
    FROM recon.stripe_disputes AS d
    INNER JOIN LATERAL (
        SELECT o.payment_id
        FROM recon.payment_objects AS o
        WHERE o.provider = 'stripe' AND o.account = d.account AND o.provider_ref = d.payment_intent_id
        ORDER BY o.payment_id
        LIMIT 1000
    ) AS x ON TRUE
    INNER JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
    WHERE d.status = 'lost' AND d.vanished_at IS NULL AND p.booking_id IS NULL
),

suspects AS (
    SELECT
        u.user_id,
        u.username,
        u.subscription_status,
        u.subscription_tier,
        coalesce(u.has_access, FALSE) AS has_access
    FROM returns AS r
    INNER JOIN recon.app_users AS u ON r.user_id = u.user_id
    WHERE
        NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
        AND (u.trial_ends_at IS NULL OR u.trial_ends_at <= cast(:as_of AS timestamptz))
        AND coalesce(u.subscription_status, '') NOT IN (
            'trialing', 'suspended', 'banned', 'blocked', 'deleted', 'closed', 'locked'
        )
),

running AS (
    SELECT
        v.*,
        s.username,
        s.subscription_status,
        s.subscription_tier,
        s.has_access,
        v.is_paid AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE) AS counts,
        (
            SELECT count(*)
            FROM recon.stripe_disputes AS d
            WHERE
                v.provider = 'stripe'
                AND d.account = v.evidence_account
                AND d.payment_intent_id = v.evidence_ref
                AND d.status = 'won'
                AND d.created_at <= cast(:as_of AS timestamptz)
                AND d.vanished_at IS NULL
        )
        + (
            -- Some name the charge alone.
            SELECT count(*)
            FROM recon.stripe_disputes AS d
            WHERE
                v.provider = 'stripe'
                AND d.account = v.evidence_account
                AND d.payment_intent_id IS NULL
                AND d.charge_id = coalesce(
                    (
                        SELECT i.charge_id
                        FROM recon.stripe_payment_intents AS i
                        WHERE i.account = v.evidence_account AND i.object_id = v.evidence_ref
                    ),
                    v.evidence_ref
                )
                AND d.status = 'won'
                AND d.created_at <= cast(:as_of AS timestamptz)
                AND d.vanished_at IS NULL
        ) > 0 AS has_won_dispute,
        NOT v.is_returned
        AND (
            v.app_state = 'paid'
            OR v.verdict = 'paid'
            -- Short by the word of both sides, and within the tolerance.
            OR (v.is_paid AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE))
            OR (
                v.is_under_way
                AND v.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :processing_days
            )
        ) AS is_claimed
    FROM suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.user_id = s.user_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE
        v.booking_id IS NULL
        AND v.created_at <= cast(:as_of AS timestamptz)
        AND (v.paid_until IS NULL OR v.paid_until > cast(:as_of AS timestamptz))
),

kept AS (
    SELECT
        r.*,
        'access kept' AS direction,
        row_number() OVER (PARTITION BY r.user_id ORDER BY r.paid_at DESC, r.payment_id DESC) AS choice
    FROM running AS r
    WHERE
        r.has_access
        AND r.is_returned
        AND r.returned_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        AND NOT EXISTS (
            SELECT 1 FROM running AS o
            WHERE
                o.user_id = r.user_id
                AND o.is_claimed
                AND NOT (
                    o.counts
                    AND o.paid_at < r.paid_at
                    AND lower(o.tier) <> lower(r.tier)
                    AND lower(r.tier) = lower(r.subscription_tier)
                )
        )
),

taken AS (
    SELECT
        r.*,
        'access taken' AS direction,
        row_number() OVER (PARTITION BY r.user_id ORDER BY r.paid_at DESC, r.payment_id DESC) AS choice
    FROM running AS r
    WHERE
        NOT r.has_access
        AND (
            r.has_failed_refund
            -- A part keeps access; one that took it all writes 'refunded'.
            OR (r.app_state = 'refunded' AND r.amount_refunded > 0)
            OR (r.app_state = 'refunded' AND r.has_won_dispute)
        )
        AND r.verdict = 'paid'
        AND r.is_his_alone
        AND r.app_state IN ('paid', 'refunded')
        AND r.paid_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        -- Ended since for another reason than the refund.
        AND NOT EXISTS (
            SELECT 1
            FROM recon.app_subscription_events AS e
            WHERE
                e.user_id = r.user_id
                AND e.created_at > r.paid_at
                AND e.created_at <= cast(:as_of AS timestamptz)
                AND e.ends_access
                AND lower(e.event_type) NOT IN ('refunded', 'revoked', 'ended')
        )
        -- Another payment gives access, or should: a matter of activation_gaps.
        AND NOT EXISTS (
            SELECT 1 FROM running AS o
            WHERE
                o.user_id = r.user_id
                AND o.payment_id <> r.payment_id
                AND o.counts
                AND NOT o.has_failed_refund
                AND o.paid_at > r.paid_at
        )
),

found AS (
    SELECT * FROM kept
    UNION ALL
    SELECT * FROM taken
)

SELECT
    f.user_id,
    f.username,
    f.subscription_status,
    f.subscription_tier,
    f.plan_name AS plan,
    f.direction,
    f.status AS payment_status,
    f.provider,
    f.provider_ref,
    f.payment_id,
    f.amount,
    f.currency,
    f.paid_at,
    CASE WHEN f.direction = 'access kept' THEN f.returned_at END AS returned_at,
    f.paid_until AS runs_until,
    CASE
        WHEN f.direction = 'access taken' AND f.has_won_dispute AND f.amount_refunded = 0
            THEN 'the dispute was won: the money is still here, the access is gone'
        WHEN f.direction = 'access taken' AND NOT f.has_failed_refund
            THEN 'only ' || cast(f.amount_refunded AS text) || ' of it went back, the access is gone'
        WHEN f.direction = 'access taken'
            THEN 'the refund failed at ' || f.provider || ': the money is still here, the access is gone'
        WHEN f.verdict = 'returned' THEN 'the payment was ' || f.returned_how || ' and the user still has access'
        ELSE 'the application calls the payment refunded and still gives access'
    END AS reason
FROM found AS f
WHERE f.choice = 1
