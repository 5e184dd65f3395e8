/*---
title: Crypto payment came short
why: >-
  Less came than was asked for, beyond what a fee on the way explains. Where the application counts it as paid, a
  service is given away; where it waits, somebody's money lies there and they hear nothing.
severity: HIGH
what_to_do: >-
  Ask the payer for the rest, accept what came, or give it back; then set the payment's state to match.
key: [payment_id]
coverage:
  nowpayments: [payments]
  okx: [deposits]
unconfigured: withhold
intraday: full
params:
  grace_minutes: 30
  tolerance: 0.02
action: null
columns:
  payment_id: The application's id of the payment.
  provider: Where the money came.
  provider_ref: The gateway's id of the payment, or the exchange's of the last deposit for it.
  user_id: The payer.
  username: The payer's name in the application.
  app_status: Status as the application wrote it.
  expected: What was asked for, in coins.
  received: What came, in coins, all deposits together.
  deposits: How many deposits that was.
  amount: At risk, what is missing, in coins.
  currency: The coin.
  came_at: When the last of it came (UTC).
  reason: What is short, and by how much.
  severity: MEDIUM where the application knows that it is short, else HIGH.
---*/
-- Judged in coins against the coins that were quoted: what they are worth by now is nobody's debt (C13). The tolerance
-- for deposits to the exchange is that of the matching; the parameter is the gateway's.
WITH deposits AS (
    SELECT
        m.payment_ref,
        max(m.provider) AS provider,
        max(m.provider_ref) AS provider_ref,
        sum(m.amount_share) AS received,
        count(*) AS deposits,
        max(t.provider_created_at) AS came_at
    FROM recon.deposit_matches AS m
    INNER JOIN recon.provider_transactions AS t
        ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
    WHERE m.outcome = 'short' AND t.provider_created_at <= cast(:as_of AS timestamptz)
    GROUP BY m.payment_ref
),

suspects AS (
    -- The first of a gateway's family of payments: itself short, or a repeated deposit for it is (C12).
    SELECT
        t.account,
        t.provider_ref
    FROM recon.provider_transactions AS t
    WHERE t.provider = 'nowpayments' AND t.state = 'partially_paid' AND t.parent_ref IS NULL
    UNION
    SELECT
        t.account,
        t.parent_ref AS provider_ref
    FROM recon.provider_transactions AS t
    WHERE t.provider = 'nowpayments' AND t.parent_ref IS NOT NULL AND t.state IN ('partially_paid', 'paid')
),

families AS (
    -- What came in another coin than was asked for pays for nothing (unmatched_deposits tells of it).
    SELECT
        f.account,
        f.provider_ref,
        f.payment_ref,
        f.expected_amount,
        f.received_currency,
        coalesce(f.amount_received, 0) + coalesce(sum(c.amount_received), 0) AS received,
        count(c.provider_ref) AS repeated,
        max(CASE WHEN c.state_changed_at > f.state_changed_at THEN c.state_changed_at ELSE f.state_changed_at END)
            AS came_at
    FROM suspects AS s
    INNER JOIN recon.provider_transactions AS f
        ON f.provider = 'nowpayments' AND s.account = f.account AND s.provider_ref = f.provider_ref
    LEFT JOIN recon.provider_transactions AS c
        ON
            c.provider = 'nowpayments'
            AND f.account = c.account
            AND f.provider_ref = c.parent_ref
            AND f.received_currency = c.received_currency
            AND c.state IN ('paid', 'partially_paid')
            AND c.raw_status <> 'wrong_asset_confirmed'
            AND c.vanished_at IS NULL
    WHERE
        f.vanished_at IS NULL
        AND f.state <> 'refunded'
        AND f.raw_status <> 'wrong_asset_confirmed'
        AND f.provider_created_at <= cast(:as_of AS timestamptz)
    GROUP BY
        f.account, f.provider_ref, f.payment_ref, f.expected_amount, f.received_currency, f.amount_received,
        f.state_changed_at
),

short AS (
    SELECT
        d.payment_ref,
        d.provider,
        d.provider_ref,
        d.received,
        d.deposits,
        d.came_at,
        0 AS repeated,
        cast(NULL AS numeric) AS expected,
        cast(NULL AS text) AS coin
    FROM deposits AS d
    UNION ALL
    SELECT
        f.payment_ref,
        'nowpayments' AS provider,
        f.provider_ref,
        f.received,
        1 + f.repeated AS deposits,
        f.came_at,
        f.repeated,
        f.expected_amount AS expected,
        f.received_currency AS coin
    FROM families AS f
    WHERE
        f.received > 0
        AND f.received < f.expected_amount * (1 - :tolerance)
        AND f.payment_ref IS NOT NULL
),

judged AS (
    SELECT
        p.payment_id,
        s.provider,
        s.provider_ref,
        p.user_id,
        p.status,
        s.received,
        s.deposits,
        s.repeated,
        s.came_at,
        coalesce(m.state, 'unknown') AS app_state,
        coalesce(s.expected, p.crypto_amount) AS expected,
        coalesce(s.coin, p.crypto_currency) AS coin
    FROM short AS s
    INNER JOIN recon.app_payments AS p ON s.provider = p.provider AND s.payment_ref = cast(p.payment_id AS text)
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        p.provider IN ('okx', 'nowpayments')
        AND s.came_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
)

SELECT
    j.payment_id,
    j.provider,
    j.provider_ref,
    j.user_id,
    u.username,
    j.status AS app_status,
    j.expected,
    j.received,
    j.deposits,
    j.expected - j.received AS amount,
    j.coin AS currency,
    j.came_at,
    cast(j.received AS text) || ' of ' || cast(j.expected AS text) || ' ' || coalesce(j.coin, 'coins') || ' came, '
    || cast(round(100 * (j.expected - j.received) / j.expected, 1) AS text) || ' % short'
    || CASE WHEN j.repeated > 0 THEN ', repeated deposits that read finished included' ELSE '' END
    || '; the application says ' || j.status AS reason,
    CASE WHEN j.app_state = 'partially_paid' THEN 'MEDIUM' ELSE 'HIGH' END AS severity
FROM judged AS j
LEFT JOIN recon.app_users AS u ON j.user_id = u.user_id
WHERE j.app_state <> 'refunded' AND j.expected > 0
