/*---
title: Crypto payment came after it had expired
why: >-
  The application gave the payment up, then the money came. The payer has paid and gets nothing, and nobody looks at an
  expired payment any more.
severity: HIGH
what_to_do: >-
  Honour it at the price of that day, or give it back; then set the payment's state to match.
key: [payment_id]
coverage:
  nowpayments: [payments]
  okx: [deposits]
unconfigured: withhold
params:
  grace_minutes: 15
  tolerance: 0.02
action: confirm_crypto_payment
columns:
  payment_id: The application's id of the payment.
  provider: Where the money came.
  provider_ref: The gateway's id of the payment, or the exchange's of the last deposit for it.
  user_id: The payer.
  username: The payer's name in the application.
  app_status: Status as the application wrote it.
  received: What came, in coins.
  amount: At risk, the same.
  currency: The coin.
  expires_at: When the payment ran out (UTC).
  came_at: When the money came (UTC).
  reason: How late it came.
---*/
-- In full, or over: what is late and short as well is told by crypto_underpaid. Late money that the application took
-- all the same is well.
WITH late AS (
    SELECT
        m.payment_ref,
        max(m.provider) AS provider,
        max(m.provider_ref) AS provider_ref,
        sum(m.amount_share) AS received,
        max(t.currency) AS coin,
        max(t.provider_created_at) AS came_at
    FROM recon.deposit_matches AS m
    INNER JOIN recon.provider_transactions AS t
        ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
    WHERE m.came_late AND m.outcome <> 'short' AND t.provider_created_at <= cast(:as_of AS timestamptz)
    GROUP BY m.payment_ref
),

repeated AS (
    -- Repeated deposits that pay in the end for what the gateway itself does not call paid.
    SELECT
        f.provider_ref,
        f.payment_ref,
        f.received_currency AS coin,
        f.expected_amount,
        coalesce(f.amount_received, 0) + sum(c.amount_received) AS received,
        max(c.state_changed_at) AS came_at
    FROM recon.provider_transactions AS c
    INNER JOIN recon.provider_transactions AS f
        ON f.provider = 'nowpayments' AND c.account = f.account AND c.parent_ref = f.provider_ref
    WHERE
        c.provider = 'nowpayments'
        AND c.parent_ref IS NOT NULL
        AND c.kind = 'payment'
        AND c.state IN ('paid', 'partially_paid')
        AND c.raw_status <> 'wrong_asset_confirmed'
        AND c.received_currency = f.received_currency
        AND c.vanished_at IS NULL
        AND f.vanished_at IS NULL
        AND f.state NOT IN ('paid', 'refunded')
        AND coalesce(f.amount_received, 0) < f.expected_amount * (1 - :tolerance)
    GROUP BY
        f.account, f.provider_ref, f.payment_ref, f.received_currency, f.expected_amount, f.amount_received
),

waiting AS (
    -- What the application does not count. As a CASE, because then the database expects few and starts from these.
    SELECT
        p.payment_id,
        p.provider,
        p.provider_ref,
        p.user_id,
        p.status,
        p.expires_at,
        m.state AS app_state
    FROM recon.app_payments AS p
    INNER JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        p.provider = 'nowpayments'
        AND CASE WHEN m.state IN ('pending', 'processing', 'failed', 'canceled', 'expired') THEN 1 ELSE 0 END = 1
),

known AS (
    -- Which object of the gateway is meant: by its id; or the application knows its invoice alone, or nothing, and the
    -- object names the payment.
    SELECT
        w.payment_id,
        t.*
    FROM waiting AS w
    INNER JOIN recon.provider_transactions AS t ON w.provider = t.provider AND w.provider_ref = t.provider_ref
    UNION ALL
    SELECT
        w.payment_id,
        t.*
    FROM waiting AS w
    INNER JOIN recon.provider_transactions AS t
        ON w.provider = t.provider AND cast(w.payment_id AS text) = t.payment_ref
    WHERE
        t.link_method IN ('metadata', 'checkout')
        AND t.parent_ref IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM recon.provider_transactions AS o
            WHERE o.provider = w.provider AND o.provider_ref = w.provider_ref AND o.vanished_at IS NULL
        )
),

came AS (
    -- What the gateway has: all of it, at once or with what was sent again.
    SELECT
        k.payment_id,
        k.provider_ref,
        k.amount_received AS received,
        k.received_currency AS coin,
        coalesce(k.paid_at, k.state_changed_at) AS came_at
    FROM known AS k
    WHERE
        k.kind = 'payment'
        AND k.state IN ('paid', 'partially_paid')
        AND k.raw_status <> 'wrong_asset_confirmed'
        AND k.vanished_at IS NULL
        AND k.amount_received >= k.expected_amount * (1 - :tolerance)
    UNION ALL
    SELECT
        w.payment_id,
        r.provider_ref,
        r.received,
        r.coin,
        r.came_at
    FROM repeated AS r
    INNER JOIN waiting AS w ON r.payment_ref = cast(w.payment_id AS text)
    WHERE r.received >= r.expected_amount * (1 - :tolerance)
),

judged AS (
    SELECT
        p.payment_id,
        l.provider,
        l.provider_ref,
        p.user_id,
        p.status,
        m.state AS app_state,
        l.received,
        l.coin,
        p.expires_at,
        l.came_at
    FROM late AS l
    INNER JOIN recon.app_payments AS p ON l.provider = p.provider AND l.payment_ref = cast(p.payment_id AS text)
    INNER JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE p.provider IN ('okx', 'nowpayments') AND m.state NOT IN ('paid', 'refunded')
    UNION ALL
    SELECT
        w.payment_id,
        w.provider,
        c.provider_ref,
        w.user_id,
        w.status,
        w.app_state,
        c.received,
        c.coin,
        w.expires_at,
        c.came_at
    FROM came AS c
    INNER JOIN waiting AS w ON c.payment_id = w.payment_id
    WHERE w.app_state IN ('failed', 'canceled', 'expired') OR c.came_at > w.expires_at
),

chosen AS (
    -- An invoice may be paid in several tries: the first speaks for the payment.
    SELECT
        j.*,
        row_number() OVER (PARTITION BY j.payment_id ORDER BY j.came_at ASC, j.provider_ref ASC) AS choice
    FROM judged AS j
)

SELECT
    j.payment_id,
    j.provider,
    j.provider_ref,
    j.user_id,
    u.username,
    j.status AS app_status,
    j.received,
    j.received AS amount,
    j.coin AS currency,
    j.expires_at,
    j.came_at,
    cast(j.received AS text) || ' ' || coalesce(j.coin, 'coins')
    || CASE
        WHEN j.came_at > j.expires_at THEN ' came after the payment had run out'
        ELSE ' came, and the application had given the payment up'
    END
    || '; it says ' || j.status AS reason
FROM chosen AS j
LEFT JOIN recon.app_users AS u ON j.user_id = u.user_id
WHERE j.choice = 1 AND j.came_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
