/*---
title: Access without payment
why: >-
  The user is let in and no payment stands behind it: a trial or a period that ended unnoticed, or access that was given
  by mistake.
severity: MEDIUM
what_to_do: >-
  Read the reason. Ask for payment, end the access, or write down why it is free: access_override_until or is_internal.
key: [user_id]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
params:
  grace_days: 3
  grace_seconds: 300
  processing_days: 14
  tolerance: 0.02
action: revoke_access
columns:
  user_id: The user.
  username: The user's name in the application.
  subscription_status: What the application says of the user's subscription.
  subscription_tier: Tier the user has.
  plan: Name of the plan the application has the user on; empty without one.
  provider: Who took the money for the last payment, if any.
  provider_ref: The provider's id of the last payment, if any.
  payment_id: The application's id of the last payment for a plan, if any.
  amount: What the plan costs for one period, else the amount of the last payment; major units.
  currency: Currency of the amount.
  paid_until: When the last period that was paid ended (UTC); empty when nothing was ever paid.
  reason: Why we say so.
---*/
-- What explains access: internal accounts, an administrator's override, a trial that runs, a paid period that runs
-- (months of 31 days, and grace_days for the renewal to come in; each payment added to the end of the one before, where
-- the application's date of renewal does not say otherwise), money under way for at most processing_days. A payment on
-- which the two sides disagree is a matter of out_of_sync_payments first: once that is settled and access is still
-- there, it is said here. Returned money is a matter of refunded_access.
WITH suspects AS (
    SELECT
        u.user_id,
        u.username,
        u.subscription_status,
        u.subscription_tier,
        u.plan_id,
        u.trial_ends_at,
        coalesce(u.subscription_renewal_date, u.payment_due_date) AS renewal_at
    FROM recon.app_users AS u
    WHERE
        u.has_access
        AND NOT coalesce(u.is_internal, FALSE)
        AND (u.access_override_until IS NULL OR u.access_override_until <= cast(:as_of AS timestamptz))
        AND (u.trial_ends_at IS NULL OR u.trial_ends_at <= cast(:as_of AS timestamptz))
        AND NOT (coalesce(u.subscription_status, '') = 'trialing' AND u.trial_ends_at IS NULL)
        AND (
            u.subscription_updated_at IS NULL
            OR u.subscription_updated_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        )
        AND NOT EXISTS (
            -- The application itself counts a payment whose period runs: nearly everybody.
            SELECT 1
            FROM recon.app_payments AS p
            LEFT JOIN recon.plan_terms AS l ON p.plan_id = l.plan_id
            WHERE
                p.user_id = u.user_id
                -- As a CASE, so that the words are looked up on the way: nearly all payments are paid.
                AND CASE
                    WHEN
                        p.status IN (
                            SELECT m.raw_status
                            FROM recon.state_map AS m
                            WHERE m.provider = 'app' AND m.resource = 'app_payment' AND m.state = 'paid'
                        ) THEN 1
                    ELSE 0
                END <> 0
                AND p.booking_id IS NULL
                AND p.created_at <= cast(:as_of AS timestamptz)
                AND (
                    l.is_lifetime
                    OR coalesce(p.confirmed_at, p.created_at) > cast(:as_of AS timestamptz)
                    - INTERVAL '1' DAY * (:grace_days + coalesce(l.longest_days, 366))
                )
        )
),

payments AS (
    SELECT
        v.*,
        s.renewal_at,
        v.is_paid AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE) AS counts,
        -- Paid by the word of one side at least, or short by the word of both, within the tolerance.
        (
            v.app_state = 'paid'
            OR v.verdict = 'paid'
            OR (v.is_paid AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE))
        ) AS is_claimed,
        v.is_under_way
        AND v.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :processing_days AS is_awaited
    FROM suspects AS s
    INNER JOIN LATERAL (
        -- The limit is a fence: verdicts are asked for by index, for these alone.
        SELECT * FROM recon.payment_verdicts AS w WHERE w.user_id = s.user_id ORDER BY w.payment_id LIMIT 100000
    ) AS v ON TRUE
    WHERE
        v.booking_id IS NULL
        AND v.created_at <= cast(:as_of AS timestamptz)
),

stacked AS (
    -- Each payment's period and, unless the application's own date of renewal is past, those of all that were made
    -- since, one after the other: the latest end of all counts.
    SELECT
        p.user_id,
        p.paid_at,
        CASE
            WHEN p.renewal_at <= cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :grace_days THEN p.longest_days
            ELSE sum(p.longest_days) OVER (PARTITION BY p.user_id ORDER BY p.paid_at DESC, p.payment_id DESC)
        END AS days
    FROM payments AS p
    WHERE p.is_claimed AND NOT p.is_returned AND p.paid_at <= cast(:as_of AS timestamptz)
),

explained AS (
    SELECT s.user_id
    FROM stacked AS s
    WHERE s.paid_at + INTERVAL '1' DAY * s.days > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :grace_days
    UNION
    SELECT p.user_id
    FROM payments AS p
    WHERE
        p.is_awaited
        -- Returned money whose period still runs: said there.
        OR (p.is_returned AND (p.paid_until IS NULL OR p.paid_until > cast(:as_of AS timestamptz)))
    UNION
    -- Money of theirs that no payment stands for: said by orphan_provider_payments.
    SELECT s.user_id
    FROM recon.provider_transactions AS t
    INNER JOIN suspects AS s ON t.user_ref = cast(s.user_id AS text)
    LEFT JOIN recon.plan_terms AS l ON s.plan_id = l.plan_id
    WHERE
        t.kind = 'payment'
        AND t.payment_ref IS NULL
        AND t.link_method <> 'foreign'
        AND t.state IN ('paid', 'authorized', 'partially_paid', 'processing')
        AND t.vanished_at IS NULL
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
        AND t.state_changed_at <= cast(:as_of AS timestamptz)
        AND t.state_changed_at > cast(:as_of AS timestamptz)
        - INTERVAL '1' DAY * (:grace_days + coalesce(l.longest_days, 366))
    UNION
    -- Paid for on a row that names nobody, by an object that names them.
    SELECT s.user_id
    FROM recon.app_payments AS p
    INNER JOIN LATERAL (
        SELECT * FROM recon.payment_verdicts AS w WHERE w.payment_id = p.payment_id ORDER BY w.payment_id LIMIT 1
    ) AS v ON TRUE
    INNER JOIN suspects AS s ON v.evidence_user = cast(s.user_id AS text)
    WHERE
        p.user_id IS NULL
        AND p.booking_id IS NULL
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND p.created_at > cast(:as_of AS timestamptz) - INTERVAL '366' DAY
        AND v.is_paid
        -- As above: paid by the application's word, it is for the sides to settle first.
        AND (v.app_state = 'paid' OR coalesce(v.came >= v.asked * (1 - :tolerance), TRUE))
        AND (
            v.paid_until IS NULL
            OR v.paid_until > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :grace_days
        )
),

free_tiers AS (
    -- What is given to everybody.
    SELECT lower(l.tier) AS tier
    FROM recon.app_plans AS l
    GROUP BY lower(l.tier)
    HAVING max(l.price) = 0
),

lasts AS (
    -- The payment to show: the last that was paid, else the last that was tried.
    SELECT
        p.*,
        row_number() OVER (
            PARTITION BY p.user_id ORDER BY p.counts DESC, p.paid_at DESC, p.payment_id DESC
        ) AS choice
    FROM payments AS p
)

SELECT
    s.user_id,
    s.username,
    s.subscription_status,
    s.subscription_tier,
    l.plan_name AS plan,
    p.provider,
    p.provider_ref,
    p.payment_id,
    coalesce(l.price, p.amount) AS amount,
    CASE WHEN l.price IS NULL THEN p.currency ELSE l.currency END AS currency,
    CASE WHEN p.counts THEN p.paid_until END AS paid_until,
    CASE
        WHEN p.counts THEN 'the last paid period is over'
        WHEN p.is_returned THEN 'the last payment was returned, and its period is over'
        WHEN p.payment_id IS NOT NULL
            THEN
                'the payment never became paid: it is ' || p.status
                || coalesce(' here and ' || p.provider_state || ' at ' || p.provider, '')
        WHEN s.trial_ends_at IS NOT NULL THEN 'the trial is over, and no payment for a plan was ever made'
        ELSE 'no payment for a plan was ever made'
    END AS reason
FROM suspects AS s
LEFT JOIN recon.app_plans AS l ON s.plan_id = l.plan_id
LEFT JOIN lasts AS p ON s.user_id = p.user_id AND p.choice = 1
WHERE
    NOT EXISTS (SELECT 1 FROM explained AS e WHERE e.user_id = s.user_id)
    AND coalesce(lower(s.subscription_tier), '') <> 'free'
    AND NOT EXISTS (SELECT 1 FROM free_tiers AS f WHERE f.tier = lower(s.subscription_tier))
    AND NOT coalesce(l.price = 0 AND lower(l.tier) = lower(s.subscription_tier), FALSE)
