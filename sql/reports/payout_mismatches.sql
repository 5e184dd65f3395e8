/*---
title: Payouts that do not add up
why: >-
  What Stripe paid out to the bank is not the sum of what it says it paid out, or money that was captured long ago went
  out with no payout at all. The books can't be closed, and money may be missing.
severity: HIGH
what_to_do: >-
  Open the payout at Stripe and compare its report with the parts listed here; ask Stripe's support about a difference.
  For money in no payout see whether it is reserved or held back at Stripe.
key: [provider, provider_ref]
coverage:
  stripe: [payouts, payout_items, balance_transactions]
unconfigured: withhold
intraday: full
params:
  days: 14
  lookback_days: 90
action: null
columns:
  provider: Always stripe.
  provider_ref: The payout, or the charge whose money went nowhere.
  payment_id: The payment whose money went nowhere, where the application knows it.
  user_id: Its payer.
  username: The payer's name in the application.
  payout_status: What Stripe says of the payout.
  payout_amount: What was paid out, in major units.
  parts_amount: What its parts add up to, net of fees.
  parts: How many parts it has.
  amount: The difference, or the money in no payout, net of fees.
  currency: Currency of the payout.
  created_at: When the payout was made, or when the money became available (UTC).
  reason: What does not add up.
---*/
-- Only automatic payouts that Stripe has reconciled list their parts. A payout is judged when a complete reading of all
-- parts ended no earlier than the newest of them was read: half a list never makes a difference. Parts are in the
-- payout's currency and in major units by its exponent, so amounts are compared as they are, to the last digit. The
-- payout's own movements (source_id is the payout itself) are no parts. A list with another payout's own movement in it
-- is a list of everything, from a server that ignores the question; it says nothing.
-- Money in no payout: a charge available for more than :days, while a later automatic payout in its currency was read
-- with all its parts. Without such a payout the account pays out by hand, and what went where can't be known.
WITH complete_readings AS (
    SELECT
        c.account,
        c.window_from,
        c.window_to,
        c.finished_at
    FROM recon.coverage AS c
    WHERE
        c.provider = 'stripe'
        AND c.resource = 'payout_items'
        AND c.complete
        AND c.mode IN ('sweep', 'backfill', 'incremental')
        AND c.window_from < c.window_to
),

candidates AS (
    SELECT
        p.account,
        p.object_id,
        p.status,
        p.amount,
        p.currency,
        p.created_at
    FROM recon.stripe_payouts AS p
    WHERE
        p.automatic
        AND p.vanished_at IS NULL
        AND p.status IN ('paid', 'in_transit', 'failed')
        AND coalesce(p.reconciliation_status, 'completed') = 'completed'
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND p.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
),

summed AS (
    SELECT
        p.account,
        p.object_id,
        p.status,
        p.amount,
        p.currency,
        p.created_at,
        count(*) AS parts,
        sum(CASE WHEN i.currency = p.currency THEN i.net END) AS parts_amount,
        count(CASE WHEN i.currency <> p.currency THEN 1 END) AS strange_parts,
        max(i.read_at) AS read_at
    FROM candidates AS p
    INNER JOIN recon.stripe_payout_items AS i
        ON p.account = i.account AND p.object_id = i.payout_id
    WHERE i.vanished_at IS NULL AND coalesce(i.source_id, '') <> p.object_id
    GROUP BY p.account, p.object_id, p.status, p.amount, p.currency, p.created_at
    HAVING count(CASE WHEN i.type = 'payout' THEN 1 END) = 0
),

payouts AS (
    SELECT s.*
    FROM summed AS s
    WHERE
        EXISTS (
            SELECT 1
            FROM complete_readings AS c
            WHERE
                c.account = s.account
                AND c.window_from <= s.created_at
                AND c.window_to > s.created_at
                AND c.finished_at >= s.read_at
        )
),

newest_payouts AS (
    SELECT
        p.account,
        p.currency,
        max(p.created_at) AS created_at
    FROM payouts AS p
    WHERE p.status <> 'failed'
    GROUP BY p.account, p.currency
),

-- The widest look back of one complete reading that reaches as far as the newest payout.
spans AS (
    SELECT
        n.account,
        n.currency,
        n.created_at AS newest_at,
        min(c.window_from) AS read_from
    FROM newest_payouts AS n
    INNER JOIN complete_readings AS c ON n.account = c.account AND n.created_at < c.window_to
    GROUP BY n.account, n.currency, n.created_at
),

left_behind AS (
    SELECT
        b.account,
        b.source_id,
        b.net,
        b.currency,
        b.available_at
    FROM recon.stripe_balance_transactions AS b
    INNER JOIN spans AS s
        ON b.account = s.account AND b.currency = s.currency AND b.available_at < s.newest_at
    LEFT JOIN recon.stripe_payout_items AS i
        ON b.account = i.account AND b.object_id = i.balance_transaction_id AND i.vanished_at IS NULL
    WHERE
        b.type IN ('charge', 'payment')
        AND b.vanished_at IS NULL
        AND b.net > 0
        AND b.available_at <= cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :days
        AND b.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :lookback_days
        AND b.created_at >= s.read_from
        AND i.balance_transaction_id IS NULL
)

SELECT
    'stripe' AS provider,
    p.object_id AS provider_ref,
    cast(NULL AS text) AS payment_id,
    cast(NULL AS text) AS user_id,
    cast(NULL AS text) AS username,
    p.status AS payout_status,
    p.amount AS payout_amount,
    p.parts_amount,
    p.parts,
    abs(p.amount - coalesce(p.parts_amount, 0)) AS amount,
    upper(p.currency) AS currency,
    p.created_at,
    CASE
        WHEN p.strange_parts > 0 THEN 'it has parts in another currency'
        WHEN p.amount > p.parts_amount THEN 'more was paid out than its parts add up to'
        ELSE 'less was paid out than its parts add up to'
    END AS reason
FROM payouts AS p
WHERE p.strange_parts > 0 OR p.amount <> p.parts_amount
UNION ALL
SELECT
    'stripe' AS provider,
    b.source_id AS provider_ref,
    cast(a.payment_id AS text) AS payment_id,
    cast(a.user_id AS text) AS user_id,
    u.username,
    cast(NULL AS text) AS payout_status,
    cast(NULL AS numeric) AS payout_amount,
    cast(NULL AS numeric) AS parts_amount,
    cast(NULL AS bigint) AS parts,
    b.net AS amount,
    upper(b.currency) AS currency,
    b.available_at AS created_at,
    'captured long ago, and in no payout' AS reason
FROM left_behind AS b
LEFT JOIN recon.stripe_payment_intents AS t ON b.account = t.account AND b.source_id = t.charge_id
LEFT JOIN recon.app_payments AS a ON a.provider = 'stripe' AND t.object_id = a.provider_ref
LEFT JOIN recon.app_users AS u ON a.user_id = u.user_id
