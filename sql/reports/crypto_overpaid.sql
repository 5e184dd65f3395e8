/*---
title: Crypto payment came to more than was asked for
why: >-
  A payer sent too much, or sent it twice. They notice, and want it back; until then it is not ours.
severity: MEDIUM
what_to_do: >-
  Give the surplus back, or put it to the payer's credit. Paid twice in full, look first whether a renewal was meant.
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
  amount: At risk, the surplus, in coins.
  currency: The coin.
  came_at: When the last of it came (UTC).
  reason: What came over, and by how much.
---*/
-- In coins, as crypto_underpaid. What came after the application had given the payment up is told by late_deposits.
WITH deposits AS (
    SELECT
        m.payment_ref,
        max(m.provider) AS provider,
        max(m.provider_ref) AS provider_ref,
        sum(m.amount_share) AS received_in_all,
        sum(CASE WHEN t.provider_created_at <= cast(:as_of AS timestamptz) THEN m.amount_share END) AS received,
        count(CASE WHEN t.provider_created_at <= cast(:as_of AS timestamptz) THEN 1 END) AS deposits,
        max(CASE WHEN t.provider_created_at <= cast(:as_of AS timestamptz) THEN t.provider_created_at END) AS came_at
    FROM recon.deposit_matches AS m
    INNER JOIN recon.provider_transactions AS t
        ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
    WHERE m.outcome = 'over'
    GROUP BY m.payment_ref
),

suspects AS (
    -- The first of a gateway's family of payments: itself over, or more came for it since.
    SELECT
        t.account,
        t.provider_ref
    FROM recon.provider_transactions AS t
    WHERE t.provider = 'nowpayments' AND t.kind = 'payment' AND t.amount_received > t.expected_amount
    UNION
    SELECT
        t.account,
        t.parent_ref AS provider_ref
    FROM recon.provider_transactions AS t
    WHERE t.provider = 'nowpayments' AND t.parent_ref IS NOT NULL AND t.kind = 'payment'
),

families AS (
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
        AND f.parent_ref IS NULL
        AND f.state IN ('paid', 'partially_paid')
        AND f.raw_status <> 'wrong_asset_confirmed'
        AND f.provider_created_at <= cast(:as_of AS timestamptz)
    GROUP BY
        f.account, f.provider_ref, f.payment_ref, f.expected_amount, f.received_currency, f.amount_received,
        f.state_changed_at
),

over_sum AS (
    SELECT
        d.payment_ref,
        d.provider,
        d.provider_ref,
        d.received,
        d.received_in_all,
        d.deposits,
        d.came_at,
        cast(NULL AS numeric) AS expected,
        cast(NULL AS text) AS coin
    FROM deposits AS d
    UNION ALL
    SELECT
        f.payment_ref,
        'nowpayments' AS provider,
        f.provider_ref,
        f.received,
        f.received AS received_in_all,
        1 + f.repeated AS deposits,
        f.came_at,
        f.expected_amount AS expected,
        f.received_currency AS coin
    FROM families AS f
    WHERE f.received > f.expected_amount * (1 + :tolerance) AND f.payment_ref IS NOT NULL
),

judged AS (
    SELECT
        p.payment_id,
        o.provider,
        o.provider_ref,
        p.user_id,
        p.status,
        p.expires_at,
        o.received,
        o.received_in_all,
        o.deposits,
        o.came_at,
        coalesce(m.state, 'unknown') AS app_state,
        coalesce(o.expected, p.crypto_amount) AS expected,
        coalesce(o.coin, p.crypto_currency) AS coin
    FROM over_sum AS o
    INNER JOIN recon.app_payments AS p ON o.provider = p.provider AND o.payment_ref = cast(p.payment_id AS text)
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        p.provider IN ('okx', 'nowpayments')
        AND o.came_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
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
    j.received - j.expected AS amount,
    j.coin AS currency,
    j.came_at,
    cast(j.received AS text) || ' ' || coalesce(j.coin, 'coins') || ' came in '
    || CASE WHEN j.deposits > 1 THEN cast(j.deposits AS text) || ' deposits' ELSE 'one deposit' END
    || ' where ' || cast(j.expected AS text) || ' was asked for, '
    || cast(round(100 * (j.received - j.expected) / j.expected, 1) AS text) || ' % over' AS reason
FROM judged AS j
LEFT JOIN recon.app_users AS u ON j.user_id = u.user_id
WHERE
    j.expected > 0
    -- Judged by all that ever came; of that, in a look at the past, as much as was there by then.
    AND (j.received = j.received_in_all OR j.received > j.expected * (1 + :tolerance))
    AND j.app_state NOT IN ('refunded', 'failed', 'canceled', 'expired')
    AND (j.app_state = 'paid' OR j.expires_at IS NULL OR j.came_at <= j.expires_at)
