/*---
title: Crypto payment expired unpaid
why: >-
  Somebody wanted to buy and did not. One is a changed mind; many are an outage, a wrong quote, or an address that
  nobody watches.
severity: LOW
what_to_do: >-
  Close those that the application still holds open. Look at the number over time rather than at each.
key: [payment_id]
coverage:
  nowpayments: [payments]
  okx: [deposits]
unconfigured: withhold
intraday: full
params:
  grace_minutes: 60
  days: 7
  open_days: 90
  tolerance: 0.02
action: expire_payment
columns:
  payment_id: The application's id of the payment.
  provider: Who should have got the money.
  provider_ref: The provider's id, where there is one.
  user_id: Who wanted to pay.
  username: Their name in the application.
  app_status: Status as the application wrote it.
  amount: What was not paid, in the price's currency.
  currency: Currency of the amount.
  expires_at: When it ran out (UTC).
  reason: Whether the application noticed.
---*/
-- For some days after; as long as the application holds it open, for months. Where the gateway has closed it and the
-- application has not, the states differ: out_of_sync_payments tells of that.
WITH lapsed AS (
    SELECT
        p.payment_id,
        p.provider,
        p.provider_ref,
        p.tx_hash,
        p.user_id,
        p.status,
        p.amount,
        p.currency,
        p.expires_at,
        cast(p.payment_id AS text) AS payment_ref,
        m.state IN ('pending', 'processing') AS is_open
    FROM recon.app_payments AS p
    INNER JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        p.provider IN ('okx', 'nowpayments')
        AND p.expires_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
        AND p.expires_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :open_days
        AND (
            m.state IN ('pending', 'processing')
            OR (
                m.state = 'expired'
                AND p.expires_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :days
            )
        )
)

SELECT
    l.payment_id,
    l.provider,
    l.provider_ref,
    l.user_id,
    u.username,
    l.status AS app_status,
    l.amount,
    l.currency,
    l.expires_at,
    CASE
        WHEN l.is_open THEN 'ran out unpaid, and the application still says ' || l.status
        ELSE 'ran out unpaid'
    END AS reason
FROM lapsed AS l
LEFT JOIN recon.app_users AS u ON l.user_id = u.user_id
LEFT JOIN recon.provider_transactions AS t
    ON l.provider = t.provider AND l.provider_ref = t.provider_ref AND t.vanished_at IS NULL
WHERE
    -- The provider has no money for it, and none on the way.
    (
        t.provider_ref IS NULL
        OR (coalesce(t.amount_received, 0) = 0 AND t.state = 'pending')
        -- Dust is nothing.
        OR (
            coalesce(t.amount_received, 0) <= coalesce(t.expected_amount, 0) * :tolerance
            AND t.state IN ('expired', 'failed', 'canceled')
            AND NOT l.is_open
        )
    )
    AND NOT EXISTS (
        SELECT 1 FROM recon.provider_transactions AS h
        WHERE
            l.tx_hash = h.tx_hash
            AND h.kind = 'deposit'
            AND h.provider_created_at <= cast(:as_of AS timestamptz)
    )
    AND NOT EXISTS (
        SELECT 1 FROM recon.provider_transactions AS c
        WHERE l.provider = c.provider AND l.provider_ref = c.parent_ref AND c.amount_received > 0
    )
    -- Nor for what names it: the application may know its invoice alone, or nothing.
    AND NOT EXISTS (
        SELECT 1 FROM recon.provider_transactions AS o
        WHERE
            o.payment_ref = l.payment_ref
            AND o.link_method IN ('metadata', 'checkout')
            AND o.provider = l.provider
            AND o.kind = 'payment'
            AND o.vanished_at IS NULL
            AND o.provider_created_at <= cast(:as_of AS timestamptz)
            AND NOT (coalesce(o.amount_received, 0) = 0 AND o.state = 'pending')
            AND NOT (
                coalesce(o.amount_received, 0) <= coalesce(o.expected_amount, 0) * :tolerance
                AND o.state IN ('expired', 'failed', 'canceled')
                AND NOT l.is_open
            )
    )
    AND NOT EXISTS (
        SELECT 1
        FROM recon.deposit_matches AS d
        INNER JOIN recon.provider_transactions AS m
            ON d.provider = m.provider AND d.account = m.account AND d.provider_ref = m.provider_ref
        WHERE
            d.payment_ref = l.payment_ref
            AND d.state = 'matched'
            AND m.provider_created_at <= cast(:as_of AS timestamptz)
    )
    -- A deposit that may be for it, and that a person has to look at, is told of by its own report.
    AND NOT EXISTS (
        SELECT 1 FROM recon.deposit_matches AS r
        WHERE r.state <> 'matched' AND ', ' || r.candidates || ',' LIKE '%, ' || l.payment_ref || ',%'
    )
