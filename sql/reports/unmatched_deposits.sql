/*---
title: Crypto money that settles no payment
why: >-
  It came in another coin, over another network, without the memo, or nobody knows for what. Its sender waits for what
  they paid for.
severity: HIGH
what_to_do: >-
  Look at the payments that are named as candidates, and ask their payers for the transaction. Credit it by hand, or
  send it back. Where there is no candidate, find the sender by the transaction hash.
key: [provider, provider_ref]
coverage:
  nowpayments: [payments]
  okx: [deposits]
unconfigured: withhold
intraday: full
params:
  grace_minutes: 30
action: null
columns:
  provider: Where the money came.
  provider_ref: The provider's id of the deposit or payment.
  cause: wrong_asset, wrong_network, memo_missing, already_settled or no_payment.
  payment_id: The payment that it may be for, where there is one only.
  candidates: Payments that it may be for; empty where none waited.
  user_id: The payer of that one payment.
  username: The payer's name in the application.
  amount: What came, in coins.
  currency: The coin that came; of a gateway, the one that was asked for where it does not say.
  network: The network, as the provider writes it.
  deposit_address: Where it was sent.
  deposit_tag: The memo that came along.
  tx_hash: The transaction.
  came_at: When it came (UTC).
  reason: Why it settles nothing.
  severity: MEDIUM where no payment is known that it could be for, else HIGH.
---*/
WITH habits AS (
    -- What the gateway pays out for each coin. It may convert, for all alike: only what differs from the habit is odd.
    SELECT
        n.account,
        lower(n.pay_currency) AS pay_currency,
        lower(n.outcome_currency) AS outcome_currency,
        count(*) AS times,
        sum(count(*)) OVER (PARTITION BY n.account, lower(n.pay_currency)) AS all_times
    FROM recon.nowpayments_payments AS n
    WHERE n.outcome_currency IS NOT NULL AND n.actually_paid > 0
    GROUP BY n.account, lower(n.pay_currency), lower(n.outcome_currency)
),

gateway AS (
    SELECT
        n.account,
        n.object_id,
        n.payin_extra_id,
        n.payin_hash,
        n.network,
        n.pay_address,
        coalesce(n.updated_at, n.created_at) AS came_at,
        n.created_at,
        n.actually_paid,
        n.parent_id,
        upper(
            CASE
                WHEN n.outcome_currency IS NOT NULL AND h.times * 2 < h.all_times THEN n.outcome_currency
                ELSE n.pay_currency
            END
        ) AS coin,
        upper(coalesce(f.pay_currency, n.pay_currency)) AS asked
    FROM recon.nowpayments_payments AS n
    LEFT JOIN recon.nowpayments_payments AS f ON n.account = f.account AND n.parent_id = f.object_id
    LEFT JOIN habits AS h
        ON
            n.account = h.account
            AND lower(n.pay_currency) = h.pay_currency
            AND lower(n.outcome_currency) = h.outcome_currency
    WHERE
        n.vanished_at IS NULL
        AND n.status <> 'refunded'
        AND n.actually_paid > 0
        AND (
            n.status = 'wrong_asset_confirmed'
            OR lower(n.pay_currency) <> lower(f.pay_currency)
            OR (lower(n.outcome_currency) <> lower(n.pay_currency) AND h.times * 2 < h.all_times)
        )
),

unsettled AS (
    SELECT
        m.provider,
        m.account,
        m.provider_ref,
        m.reason AS cause,
        m.candidates,
        m.evidence,
        t.amount,
        t.currency,
        t.network,
        t.deposit_address,
        t.deposit_tag,
        t.tx_hash,
        t.provider_created_at AS came_at
    FROM recon.deposit_matches AS m
    INNER JOIN recon.provider_transactions AS t
        ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
    -- A transfer between accounts of ours within the exchange (C14) is no payment.
    WHERE m.state = 'unmatched' AND m.reason <> 'internal'
    UNION ALL
    SELECT
        'nowpayments' AS provider,
        g.account,
        g.object_id AS provider_ref,
        'wrong_asset' AS cause,
        t.payment_ref AS candidates,
        cast(g.actually_paid AS text) || CASE WHEN g.coin = g.asked THEN '' ELSE ' ' || g.coin END
        || ' came where ' || g.asked || ' was asked for' AS evidence,
        g.actually_paid AS amount,
        g.coin AS currency,
        g.network,
        g.pay_address AS deposit_address,
        g.payin_extra_id AS deposit_tag,
        g.payin_hash AS tx_hash,
        g.came_at
    FROM gateway AS g
    LEFT JOIN recon.provider_transactions AS t
        ON t.provider = 'nowpayments' AND g.account = t.account AND g.object_id = t.provider_ref
    WHERE g.created_at <= cast(:as_of AS timestamptz)
)

SELECT
    s.provider,
    s.provider_ref,
    s.cause,
    p.payment_id,
    s.candidates,
    p.user_id,
    u.username,
    s.amount,
    s.currency,
    s.network,
    s.deposit_address,
    s.deposit_tag,
    s.tx_hash,
    s.came_at,
    s.evidence AS reason,
    CASE WHEN s.candidates IS NULL THEN 'MEDIUM' ELSE 'HIGH' END AS severity
FROM unsettled AS s
LEFT JOIN recon.app_payments AS p
    ON s.provider = p.provider AND s.candidates = cast(p.payment_id AS text) AND p.provider IN ('okx', 'nowpayments')
LEFT JOIN recon.app_users AS u ON p.user_id = u.user_id
WHERE s.came_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
