/*---
title: Statuses that nobody knows
why: >-
  A status that is in no mapping is neither money nor no money to us: nothing can be said of the payments that have it,
  and the other reports are silent about them.
severity: LOW
what_to_do: >-
  Look the word up at the provider, or ask who writes it in the application, and add it to recon.state_map under the
  same provider and resource.
key: [provider, resource, raw_status]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: judge
params: {}
action: null
columns:
  provider: Whose word it is; app is the application.
  resource: Of what it is said, as in recon.state_map.
  raw_status: The word.
  objects: How many payments, refunds and so on have it.
  example_ref: One of them, by its id at the provider.
  payment_id: One of them, by the application's id.
  amount: Together, in major units; empty where they are in several currencies.
  currency: Currency of the amount.
  first_created_at: When the oldest of them was made (UTC).
  reason: Where it was seen, in words.
---*/
-- The rule. One row a word, whichever side says it. A word that only another product's payments have is not ours to
-- map.
WITH RECURSIVE words AS (
    -- The words that the application writes, each found by a step in the index: they are few, payments are many.
    SELECT min(p.status) AS status
    FROM recon.app_payments AS p
    UNION ALL
    SELECT (SELECT min(p.status) FROM recon.app_payments AS p WHERE p.status > w.status) AS status
    FROM words AS w
    WHERE w.status IS NOT NULL
),

said AS (
    SELECT
        t.provider,
        CASE
            WHEN t.kind = 'refund' THEN 'refunds'
            WHEN t.kind = 'dispute' THEN 'disputes'
            WHEN t.kind = 'payout' THEN 'payouts'
            WHEN t.kind = 'transfer' THEN 'transfers'
            WHEN t.kind = 'deposit' THEN 'deposits'
            WHEN t.provider = 'stripe' AND substring(t.provider_ref, 1, 3) IN ('ch_', 'py_') THEN 'charges'
            WHEN t.provider = 'stripe' THEN 'payment_intents'
            ELSE 'payments'
        END AS resource,
        t.raw_status,
        t.provider_ref AS example_ref,
        t.payment_ref AS payment_id,
        t.amount,
        t.currency,
        t.provider_created_at AS created_at,
        1 AS objects
    FROM recon.provider_transactions AS t
    WHERE
        t.state = 'unknown'
        AND t.kind IN ('payment', 'refund', 'deposit', 'dispute', 'payout', 'transfer')
        AND t.link_method <> 'foreign'
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
),

known_words AS (
    SELECT m.raw_status
    FROM recon.state_map AS m
    WHERE m.provider = 'app' AND m.resource = 'app_payment' AND m.state <> 'unknown'
),

theirs AS (
    SELECT p.*
    FROM words AS w
    LEFT JOIN known_words AS k ON w.status = k.raw_status
    INNER JOIN LATERAL (
        -- The limit is a fence: the payments of a few words are asked for by index.
        SELECT * FROM recon.app_payments AS x WHERE x.status = w.status ORDER BY x.created_at LIMIT 1000000000000
    ) AS p ON TRUE
    WHERE k.raw_status IS NULL
    UNION ALL
    SELECT p.*
    FROM recon.app_payments AS p
    WHERE p.status IS NULL
),

all_said AS (
    SELECT s.* FROM said AS s
    UNION ALL
    SELECT
        'app' AS provider,
        'app_payment' AS resource,
        p.status AS raw_status,
        p.provider_ref AS example_ref,
        cast(p.payment_id AS text) AS payment_id,
        p.amount,
        p.currency,
        p.created_at,
        1 AS objects
    FROM theirs AS p
    WHERE p.created_at <= cast(:as_of AS timestamptz)
)

SELECT
    a.provider,
    a.resource,
    a.raw_status,
    sum(a.objects) AS objects,
    min(a.example_ref) AS example_ref,
    min(a.payment_id) AS payment_id,
    CASE WHEN min(a.currency) = max(a.currency) THEN sum(a.amount) END AS amount,
    CASE WHEN min(a.currency) = max(a.currency) THEN min(a.currency) END AS currency,
    min(a.created_at) AS first_created_at,
    CASE
        WHEN a.provider = 'app' THEN 'the application writes ' || a.raw_status || ' on '
        ELSE a.provider || ' says ' || a.raw_status || ' of '
    END || cast(sum(a.objects) AS text) || ' ' || a.resource || ', and nobody knows what that means' AS reason
FROM all_said AS a
GROUP BY a.provider, a.resource, a.raw_status
