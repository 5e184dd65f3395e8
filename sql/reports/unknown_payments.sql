/*---
title: Payments that the provider does not have
why: >-
  The application counts a payment that never took place where it says it did: forged or mistyped references, test
  money, another account's payment, or a row written before the provider answered.
severity: HIGH
what_to_do: >-
  Look the reference up at the provider, in live and in test mode. Where there is no such payment, find out who wrote
  the row, and take back what it gave.
key: [payment_id]
coverage:
  stripe: [payment_intents]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: withhold
params:
  margin_before_hours: 24
  margin_after_hours: 1
action: null
columns:
  provider: Who should have it.
  provider_ref: The application's reference; of a deposit, its transaction hash where that is all there is.
  payment_id: The application's id of the payment.
  user_id: The payer.
  username: The payer's name in the application.
  app_status: Status as the application wrote it.
  app_state: The same in canonical words.
  amount: Amount in the application, in major units.
  currency: Currency of the amount.
  created_at: When the application wrote the row (UTC).
  reason: What the provider has instead, and why its absence is certain.
---*/
-- The rule. Absence needs proof: every account of the provider was listed without a break and without a failure over
-- the time in which the object must have been made, from margin_before_hours before the application's row (a checkout
-- may be opened a day before it is paid) to margin_after_hours after it; rows nearer to the edges of what was read are
-- not judged. An object in test mode, where live accounts are known, is no payment (S11), nor is one that the provider
-- no longer has. Not judged: references that are no payment's id (subscriptions, invoices, set-ups), attempts that the
-- application gave up itself, and crypto that it still waits for: a deposit, or the payment that NOWPayments makes of
-- an invoice only once a coin is chosen, and whose number looks like the invoice's.
WITH absent AS (
    -- No such object at all. Only covering indexes are read, side by side in their order, as in amount_mismatches. As a
    -- CASE, because then the database expects few and looks the rest up by index.
    SELECT DISTINCT
        p.provider,
        p.provider_ref
    FROM (
        SELECT
            a.provider,
            a.provider_ref
        FROM recon.app_payments AS a
        WHERE a.provider IN ('stripe', 'nowpayments', 'okx') AND a.provider_ref <> ''
        ORDER BY a.provider, a.provider_ref
        LIMIT 1000000000000
    ) AS p
    LEFT JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    WHERE CASE WHEN t.provider_ref IS NULL THEN 1 ELSE 0 END = 1
),

suspects AS (
    SELECT p.payment_id
    FROM absent AS a
    INNER JOIN LATERAL (
        -- The limit is a fence: of the few that are absent the payments are asked for by index.
        SELECT x.payment_id
        FROM recon.app_payments AS x
        WHERE x.provider = a.provider AND x.provider_ref = a.provider_ref
        ORDER BY x.payment_id
        LIMIT 100000
    ) AS p ON TRUE
    UNION
    -- There was one, or one of test money.
    SELECT p.payment_id
    FROM recon.app_payments AS p
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    WHERE t.vanished_at <= cast(:as_of AS timestamptz)
    UNION
    SELECT p.payment_id
    FROM recon.app_payments AS p
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    INNER JOIN recon.known_accounts AS k ON t.provider = k.provider AND k.livemode AND k.is_money
    WHERE NOT t.livemode
    UNION
    -- A deposit known by its hash alone.
    SELECT p.payment_id
    FROM recon.app_payments AS p
    LEFT JOIN recon.provider_transactions AS t ON p.tx_hash = t.tx_hash AND t.kind = 'deposit'
    WHERE p.provider = 'okx' AND p.provider_ref IS NULL AND p.tx_hash IS NOT NULL AND t.provider_ref IS NULL
),

stated AS (
    SELECT
        p.payment_id,
        p.provider,
        p.user_id,
        p.status,
        p.amount,
        p.currency,
        p.created_at,
        coalesce(p.provider_ref, p.tx_hash) AS reference,
        coalesce(m.state, 'unknown') AS state,
        CASE
            WHEN p.provider = 'nowpayments' THEN 'payments'
            WHEN p.provider = 'okx' THEN 'deposits'
            WHEN substring(p.provider_ref, 1, 3) IN ('ch_', 'py_') THEN 'charges'
            WHEN substring(p.provider_ref, 1, 3) = 'cs_' THEN 'checkout_sessions'
            WHEN substring(p.provider_ref, 1, 3) IN ('in_', 'il_', 'si_') THEN 'other'
            WHEN substring(p.provider_ref, 1, 4) IN ('sub_', 'seti') THEN 'other'
            ELSE 'payment_intents'
        END AS resource
    FROM suspects AS s
    INNER JOIN recon.app_payments AS p ON s.payment_id = p.payment_id
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        p.created_at <= cast(:as_of AS timestamptz)
        AND coalesce(m.state, 'unknown') NOT IN ('failed', 'canceled', 'expired')
        AND (p.provider = 'stripe' OR m.state IN ('paid', 'partially_paid', 'refunded'))
),

listed AS (
    -- Of how many accounts every list over the time in question is complete.
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.known_accounts AS k ON s.provider = k.provider AND k.is_money
    LEFT JOIN recon.covered_windows AS w
        ON
            k.provider = w.provider
            AND k.account = w.account
            AND k.livemode = w.livemode
            AND s.resource = w.resource
            AND w.covered_from <= s.created_at - INTERVAL '1' HOUR * :margin_before_hours
            AND w.covered_to >= s.created_at + INTERVAL '1' HOUR * :margin_after_hours
    GROUP BY
        s.payment_id, s.provider, s.user_id, s.status, s.amount, s.currency, s.created_at, s.reference, s.state,
        s.resource
    HAVING count(DISTINCT k.account) = count(DISTINCT w.account)
),

known_otherwise AS (
    -- Found after all: under its reference or its hash, by a charge or a checkout, or set aside as unreadable.
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.known_accounts AS k ON s.provider = k.provider AND k.is_money
    INNER JOIN recon.provider_transactions AS t
        ON k.provider = t.provider AND k.account = t.account AND s.reference = t.provider_ref
    WHERE k.livemode = t.livemode AND t.vanished_at IS NULL
    UNION ALL
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.provider_transactions AS t ON s.provider = t.provider AND s.reference = t.tx_hash
    WHERE t.kind = 'deposit' AND t.vanished_at IS NULL
    UNION ALL
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.app_payments AS p ON s.payment_id = p.payment_id
    INNER JOIN recon.provider_transactions AS t ON s.provider = t.provider AND p.tx_hash = t.tx_hash
    WHERE t.kind = 'deposit' AND t.vanished_at IS NULL
    UNION ALL
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.known_accounts AS k ON s.provider = k.provider AND k.is_money
    INNER JOIN recon.stripe_charges AS c ON k.account = c.account AND s.reference = c.object_id
    WHERE s.resource = 'charges' AND k.livemode = c.livemode AND c.vanished_at IS NULL
    UNION ALL
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.known_accounts AS k ON s.provider = k.provider AND k.is_money
    INNER JOIN recon.stripe_checkout_sessions AS c ON k.account = c.account AND s.reference = c.object_id
    WHERE s.resource = 'checkout_sessions' AND k.livemode = c.livemode AND c.vanished_at IS NULL
    UNION ALL
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.known_accounts AS k ON s.provider = k.provider
    INNER JOIN recon.rejected_objects AS r
        ON k.provider = r.provider AND k.account = r.account AND s.resource = r.resource AND s.reference = r.object_id
    UNION ALL
    -- An invoice's id, say: the provider's own object names the payment, and its id is of another kind.
    SELECT s.*
    FROM stated AS s
    INNER JOIN recon.provider_transactions AS t
        ON s.provider = t.provider AND cast(s.payment_id AS text) = t.payment_ref
    WHERE
        t.link_method IN ('metadata', 'checkout')
        AND t.vanished_at IS NULL
        AND (s.provider <> 'stripe' OR substring(s.reference, 1, 3) <> 'pi_')
),

missing AS (
    -- By set, so that no plan asks for each of many whether it is known.
    SELECT l.* FROM listed AS l
    EXCEPT
    SELECT o.* FROM known_otherwise AS o
)

SELECT
    s.provider,
    s.reference AS provider_ref,
    s.payment_id,
    s.user_id,
    u.username,
    s.status AS app_status,
    s.state AS app_state,
    s.amount,
    s.currency,
    s.created_at,
    CASE
        WHEN r.test_account IS NOT NULL THEN 'it exists in test mode only, in account ' || r.test_account
        WHEN r.vanished_at IS NOT NULL THEN 'the provider no longer has it'
        ELSE 'the provider never had it: all that was made around that time was read'
    END AS reason
FROM missing AS s
LEFT JOIN LATERAL (
    -- What there was or is under this reference.
    SELECT
        max(t.vanished_at) AS vanished_at,
        max(CASE WHEN t.vanished_at IS NULL AND NOT t.livemode THEN t.account END) AS test_account
    FROM recon.provider_transactions AS t
    WHERE t.provider = s.provider AND t.provider_ref = s.reference
) AS r ON TRUE
LEFT JOIN recon.app_users AS u ON s.user_id = u.user_id
