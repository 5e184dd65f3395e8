/*---
title: Payouts that did not arrive
why: >-
  Money owed to a payee, or to our own bank account, did not arrive: it was refused, returned or not claimed, some of it
  days after it read paid. Payees find out before we do.
severity: HIGH
what_to_do: >-
  Look at the error: correct the payee's account (closed, a wrong number, no PayPal account) and pay out again.
  A failed payout to our own bank stops further ones until its bank account is corrected at Stripe.
key: [payout_id, provider_ref]
coverage:
  stripe: [payouts, transfers, transfer_reversals, payout_items]
unconfigured: judge
intraday: full
params:
  grace_minutes: 15
  days: 90
  retry_days: 7
action: retry_payout
columns:
  provider: Through whom it was paid out.
  provider_ref: Stripe's payout or transfer, or the PayPal batch.
  payout_id: The application's id of the payout; empty for a payout to our own bank.
  user_id: The payee.
  username: The payee's name in the application.
  booking_id: What it pays for.
  payout_status: What the application says of it; for a payout to our own bank, what Stripe says.
  error: What went wrong, in the application's words or as Stripe's code.
  stripe_transfer_id: The Stripe transfer.
  paypal_batch_id: The PayPal batch; other items of it may have arrived.
  amount: Not arrived, in major units.
  currency: Currency of the amount.
  created_at: When the payout was made (UTC).
  reason: Why it counts as failed.
  repairable: Whether Stripe can be asked to pay it out again; PayPal, and Stripe's own schedule, can't.
---*/
-- Three kinds of suspects, all few: the application says so; the transfer came back although the application knows
-- nothing of it; Stripe's payout to a bank failed. A payout that is under way, however long, has not failed. A failure
-- is over once a later payout to the same payee for the same booking covers it (without a booking: one of the same sum,
-- within retry_days, that did not fail as well: nothing else tells that it is the same money), or once the money that
-- came back from the bank left again with a later payout. Transfers reversed by refunds of the customer came back on
-- purpose; a part of a transfer that was taken back is a correction.
WITH given_up AS (
    -- Words of the application that mean: not paid out, and known.
    SELECT m.raw_status
    FROM recon.state_map AS m
    WHERE m.provider = 'app' AND m.resource = 'app_payout' AND m.state IN ('failed', 'canceled')
),

refused_items AS (
    SELECT
        p.payout_id,
        CASE
            WHEN p.status IN ('unclaimed', 'returned') THEN 'the payment provider says ' || p.status
            ELSE 'the application says ' || p.status
        END AS reason,
        p.error,
        p.created_at,
        p.updated_at
    FROM recon.state_map AS m
    INNER JOIN recon.app_payouts AS p ON m.raw_status = p.status
    WHERE
        m.provider = 'app'
        AND m.resource = 'app_payout'
        -- Called off on purpose, unless an error stands beside it.
        AND (m.state = 'failed' OR (m.state = 'canceled' AND nullif(btrim(p.error), '') IS NOT NULL))
    UNION ALL
    SELECT
        p.payout_id,
        'the batch was paid, this item was not taken' AS reason,
        p.error,
        p.created_at,
        p.updated_at
    FROM recon.app_payouts AS p
    WHERE
        p.paypal_batch_id IS NOT NULL
        AND p.error IS NOT NULL
        AND p.status IN (
            SELECT m.raw_status
            FROM recon.state_map AS m
            WHERE m.provider = 'app' AND m.resource = 'app_payout' AND m.state = 'paid'
        )
        AND (
            lower(p.error) LIKE '%unclaimed%'
            OR lower(p.error) LIKE '%returned%'
            OR lower(p.error) LIKE '%receiver%'
            OR lower(p.error) LIKE '%recipient%'
            OR lower(p.error) LIKE '%blocked%'
            OR lower(p.error) LIKE '%denied%'
            OR lower(p.error) LIKE '%declined%'
            OR lower(p.error) LIKE '%refused%'
            OR lower(p.error) LIKE '%rejected%'
            OR lower(p.error) LIKE '%failed%'
            OR lower(p.error) LIKE '%reversed%'
            OR lower(p.error) LIKE '%not registered%'
            OR lower(p.error) LIKE '%unregistered%'
            OR lower(p.error) LIKE '%unconfirmed%'
            OR lower(p.error) LIKE '%locked%'
        )
),

suspects AS (
    SELECT
        s.payout_id,
        s.reason,
        cast(NULL AS numeric) AS amount,
        s.error
    FROM refused_items AS s
    WHERE
        s.created_at <= cast(:as_of AS timestamptz)
        AND s.updated_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
),

came_back AS (
    SELECT
        t.account,
        t.object_id,
        t.amount_reversed - coalesce(sum(CASE WHEN r.refund_id IS NOT NULL THEN r.amount END), 0) AS amount,
        max(r.created_at) AS at
    FROM recon.stripe_transfers AS t
    LEFT JOIN recon.stripe_transfer_reversals AS r
        ON t.account = r.account AND t.object_id = r.transfer_id AND r.vanished_at IS NULL
    WHERE t.reversed AND t.vanished_at IS NULL
    GROUP BY t.account, t.object_id, t.amount_reversed
),

reversed AS (
    SELECT
        p.payout_id,
        'paid out, then the transfer was reversed' AS reason,
        c.amount,
        p.error
    FROM came_back AS c
    INNER JOIN recon.app_payouts AS p ON c.object_id = p.stripe_transfer_id
    WHERE
        c.amount > 0
        AND (c.at IS NULL OR c.at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes)
        AND p.status NOT IN (SELECT g.raw_status FROM given_up AS g)
),

ours AS (
    SELECT *
    FROM suspects
    UNION ALL
    SELECT *
    FROM reversed
),

refused AS (
    SELECT
        o.object_id,
        o.amount,
        o.currency,
        o.created_at,
        o.failure_code,
        o.automatic,
        p.payout_id,
        p.payee_id,
        p.booking_id,
        p.status
    FROM recon.stripe_payouts AS o
    LEFT JOIN recon.app_payouts AS p ON o.object_id = p.stripe_transfer_id
    LEFT JOIN recon.stripe_payout_items AS i
        ON
            o.account = i.account
            AND o.failure_balance_transaction_id = i.balance_transaction_id
            AND i.vanished_at IS NULL
    -- When the money came back; a payout does not tell when it failed.
    LEFT JOIN recon.stripe_balance_transactions AS b
        ON o.account = b.account AND o.failure_balance_transaction_id = b.object_id
    WHERE
        o.status = 'failed'
        AND coalesce(b.created_at, o.created_at) <= cast(:as_of AS timestamptz)
        AND o.vanished_at IS NULL
        AND o.created_at <= cast(:as_of AS timestamptz)
        AND o.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :days
        AND i.object_id IS NULL
        AND coalesce(p.status, 'paid') NOT IN (SELECT g.raw_status FROM given_up AS g)
)

SELECT
    lower(p.method) AS provider,
    coalesce(p.stripe_transfer_id, p.paypal_batch_id) AS provider_ref,
    p.payout_id,
    cast(p.payee_id AS text) AS user_id,
    u.username,
    p.booking_id,
    p.status AS payout_status,
    o.error,
    p.stripe_transfer_id,
    p.paypal_batch_id,
    coalesce(o.amount, p.amount) AS amount,
    p.currency,
    p.created_at,
    o.reason,
    (p.paypal_batch_id IS NULL AND coalesce(lower(p.method), '') = 'stripe') AS repairable
FROM ours AS o
INNER JOIN recon.app_payouts AS p ON o.payout_id = p.payout_id
LEFT JOIN recon.app_users AS u ON p.payee_id = u.user_id
WHERE
    NOT EXISTS (
        SELECT 1
        FROM recon.app_payouts AS q
        WHERE
            (
                (q.booking_id = p.booking_id AND q.amount >= p.amount)
                -- Without a booking: the same sum once more, soon.
                OR (
                    q.booking_id IS NULL
                    AND p.booking_id IS NULL
                    AND q.amount = p.amount
                    AND q.status NOT IN (SELECT g.raw_status FROM given_up AS g)
                    AND q.created_at <= p.created_at + INTERVAL '1' DAY * :retry_days
                )
            )
            AND q.payee_id = p.payee_id
            AND q.currency = p.currency
            AND (q.created_at > p.created_at OR (q.created_at = p.created_at AND q.payout_id > p.payout_id))
            AND q.created_at <= cast(:as_of AS timestamptz)
            AND q.status NOT IN (
                SELECT m.raw_status
                FROM recon.state_map AS m
                WHERE m.provider = 'app' AND m.resource = 'app_payout' AND m.state = 'canceled'
            )
    )
UNION ALL
SELECT
    'stripe' AS provider,
    r.object_id AS provider_ref,
    r.payout_id,
    cast(r.payee_id AS text) AS user_id,
    u.username,
    r.booking_id,
    coalesce(r.status, 'failed') AS payout_status,
    r.failure_code AS error,
    cast(NULL AS text) AS stripe_transfer_id,
    cast(NULL AS text) AS paypal_batch_id,
    r.amount,
    upper(r.currency) AS currency,
    r.created_at,
    CASE
        WHEN r.payout_id IS NULL THEN 'the bank refused it, and the money came back to the balance'
        ELSE 'the application says ' || r.status || ', the bank refused it'
    END AS reason,
    NOT r.automatic AS repairable
FROM refused AS r
LEFT JOIN recon.app_users AS u ON r.payee_id = u.user_id
