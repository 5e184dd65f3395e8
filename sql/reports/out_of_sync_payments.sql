/*---
title: Application and provider disagree about a payment
why: >-
  One side counts money that the other does not have, or another sum of it: services are given away, payers are
  refused, and the books do not close.
severity: HIGH
what_to_do: >-
  Open the payment at the provider: its state is the truth about the money. Correct the application's row, and look in
  the webhook inbox for why it was not updated.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents, refunds]
  nowpayments: [payments]
  okx: [deposits]
unconfigured: withhold
params:
  grace_seconds: 300
  tolerance: 0.02
action: null
columns:
  provider: Who took the money.
  provider_ref: The provider's id of the payment or deposit.
  payment_id: The application's id of the payment; empty where it has none for a status that nobody knows.
  user_id: The payer.
  username: The payer's name in the application.
  app_status: Status as the application wrote it.
  app_state: The same in canonical words.
  provider_status: Status as the provider calls it.
  provider_state: The same in canonical words.
  app_amount: Amount in the application, in major units; of a deposit, in coins.
  provider_amount: Amount at the provider, in major units; of a part-captured payment, the captured part.
  amount: At risk, the provider's amount.
  app_currency: Currency in the application.
  currency: Currency at the provider.
  difference: What differs, one or more of state, amount, currency.
  provider_changed_at: When the provider's state last changed (UTC).
  reason: The difference in words.
---*/
WITH classes (state, class, app_rank, provider_rank) AS (
    -- States that mean the same to a reader of both sides share a class. A provider whose rank is above the
    -- application's is ahead of it: its webhook may be on the way.
    VALUES
    ('pending', 'open', 0, 0),
    ('processing', 'open', 0, 0),
    ('authorized', 'held', 1, 1),
    ('partially_paid', 'short', 2, 2),
    ('paid', 'paid', 3, 3),
    ('frozen', 'frozen', 3, 4),
    ('failed', 'dead', -1, 4),
    ('canceled', 'dead', -1, 4),
    ('expired', 'dead', -1, 4),
    ('refunded', 'returned', 5, 5),
    ('unknown', 'unknown', 9, 9)
),

suspects AS (
    -- The full compare reads only columns of the covering indexes on both sides; all that is finer comes after it.
    SELECT DISTINCT
        t.provider,
        t.provider_ref
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    WHERE
        t.kind IN ('payment', 'deposit')
        AND (
            t.state <> coalesce(m.state, 'unknown')
            OR t.state = 'unknown'
            OR (
                t.kind = 'payment'
                AND (
                    t.amount <> p.amount
                    OR t.currency <> p.currency
                    OR (
                        t.state = 'paid'
                        AND t.amount_received > 0
                        AND t.amount_received < t.amount
                        AND coalesce(t.received_currency, t.currency) = t.currency
                    )
                )
            )
        )
),

suspect_payments AS (
    -- On its own, because a CTE that is read twice is computed once, and not by each parallel worker again.
    SELECT
        s.provider,
        s.provider_ref,
        p.payment_id
    FROM suspects AS s
    INNER JOIN recon.app_payments AS p ON s.provider = p.provider AND s.provider_ref = p.provider_ref
),

pairs AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        p.payment_id
    FROM suspects AS s
    INNER JOIN recon.provider_transactions AS t ON s.provider = t.provider AND s.provider_ref = t.provider_ref
    INNER JOIN suspect_payments AS p ON s.provider = p.provider AND s.provider_ref = p.provider_ref
    WHERE t.kind IN ('payment', 'deposit')
    UNION
    -- Deposits by their id: what came, against the coin and the sum that were asked for.
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        p.payment_id
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    WHERE
        t.kind = 'deposit'
        AND (t.currency <> p.crypto_currency OR t.amount < p.crypto_amount * (1 - :tolerance))
    UNION
    -- Deposits that the application knows by their transaction hash only. One in another coin is its deposit where
    -- none came in the right one.
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        p.payment_id
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p
        ON t.provider = p.provider AND t.tx_hash = coalesce(p.tx_hash, p.provider_ref)
    LEFT JOIN recon.provider_transactions AS d ON p.provider = d.provider AND p.provider_ref = d.provider_ref
    WHERE
        t.kind = 'deposit'
        AND d.provider_ref IS NULL
        AND coalesce(t.deposit_address, '') = coalesce(p.deposit_address, t.deposit_address, '')
        AND coalesce(t.deposit_tag, '') = coalesce(p.deposit_tag, t.deposit_tag, '')
        AND (
            t.currency = coalesce(p.crypto_currency, t.currency)
            OR NOT EXISTS (
                SELECT 1 FROM recon.provider_transactions AS o
                WHERE
                    o.kind = 'deposit'
                    AND o.provider = t.provider
                    AND o.tx_hash = t.tx_hash
                    AND o.currency = p.crypto_currency
            )
        )
    UNION
    -- Payments whose id the application never stored; the provider's object names them.
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        p.payment_id
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.payment_ref = cast(p.payment_id AS text)
    WHERE
        p.provider_ref IS NULL
        AND t.kind = 'payment'
        AND t.parent_ref IS NULL
        AND t.link_method IN ('metadata', 'checkout')
    UNION
    -- A status that nobody knows is worth a look even where the application knows nothing of it.
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        p.payment_id
    FROM recon.provider_transactions AS t
    LEFT JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    WHERE
        t.state = 'unknown'
        AND t.kind IN ('payment', 'deposit', 'refund')
        AND t.link_method <> 'foreign'
        AND p.payment_id IS NULL
),

received_in_parts AS (
    -- A gateway's repeated deposits are objects of their own, children of the first.
    SELECT
        c.provider,
        c.account,
        c.parent_ref,
        c.received_currency,
        sum(c.amount_received) AS amount
    FROM recon.provider_transactions AS c
    WHERE c.parent_ref IS NOT NULL AND c.kind = 'payment' AND c.state IN ('paid', 'partially_paid')
    GROUP BY c.provider, c.account, c.parent_ref, c.received_currency
),

compared AS (
    -- Of several rows for one object, attempts of one payment, the application's newest is its word.
    SELECT
        t.provider,
        t.provider_ref,
        t.kind,
        t.state AS provider_state,
        t.raw_status,
        t.state_changed_at,
        t.amount AS full_amount,
        t.currency,
        p.payment_id,
        p.user_id,
        p.status AS app_status,
        -- Of a deposit, what was asked for in coins.
        CASE WHEN t.kind = 'deposit' AND p.crypto_amount IS NOT NULL THEN p.crypto_amount ELSE p.amount END
            AS app_amount,
        CASE WHEN t.kind = 'deposit' AND p.crypto_currency IS NOT NULL THEN p.crypto_currency ELSE p.currency END
            AS app_currency,
        CASE WHEN p.payment_id IS NOT NULL THEN coalesce(m.state, 'unknown') END AS app_state,
        CASE
            WHEN
                t.state = 'paid'
                AND t.amount_received > 0
                AND t.amount_received < t.amount
                AND coalesce(t.received_currency, t.currency) = t.currency
                THEN t.amount_received
            ELSE t.amount
        END AS provider_amount,
        -- Within the tolerance all of it came, be it in several deposits.
        coalesce(
            t.raw_status = 'partially_paid'
            AND t.amount_received + coalesce(r.amount, 0) >= (1 - :tolerance) * coalesce(
                t.expected_amount, CASE WHEN t.received_currency = p.crypto_currency THEN p.crypto_amount END
            ),
            FALSE
        ) AS came_in_full,
        coalesce(t.kind = 'deposit' AND t.amount < p.crypto_amount * (1 - :tolerance), FALSE) AS came_short,
        coalesce(t.kind = 'deposit' AND t.currency <> p.crypto_currency, FALSE) AS is_wrong_coin,
        -- The application took the provider's own word over, e.g. a gateway's "confirmed".
        coalesce(t.state IN ('pending', 'processing') AND lower(t.raw_status) = p.status, FALSE) AS is_same_word,
        row_number() OVER (
            PARTITION BY t.provider, t.provider_ref
            ORDER BY p.created_at DESC NULLS LAST, p.payment_id DESC NULLS LAST, t.state_changed_at DESC, t.account ASC
        ) AS choice
    FROM pairs AS x
    INNER JOIN recon.provider_transactions AS t
        ON x.provider = t.provider AND x.account = t.account AND x.provider_ref = t.provider_ref
    LEFT JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    LEFT JOIN received_in_parts AS r
        ON
            t.provider = r.provider
            AND t.account = r.account
            AND t.provider_ref = r.parent_ref
            AND t.received_currency = r.received_currency
    WHERE t.vanished_at IS NULL
),

judged AS (
    SELECT
        c.*,
        (
            coalesce(a.class, 'unknown') <> coalesce(b.class, 'unknown')
            OR coalesce(a.class, 'unknown') = 'unknown'
        )
        -- An abandoned attempt: the provider keeps it open for another card or coin.
        AND NOT (coalesce(a.class, '') = 'dead' AND c.provider_state = 'pending')
        AND NOT (coalesce(c.app_state, '') = 'paid' AND c.came_in_full)
        AND NOT (coalesce(c.app_state, '') = 'partially_paid' AND c.provider_state = 'paid' AND c.came_short)
        AND NOT c.is_same_word
        -- The provider is ahead and has just moved: its webhook is on the way. Not counted from the application's
        -- own update, because a row that a poller touches every minute would never be reported.
        AND NOT (
            coalesce(b.provider_rank, 9) > coalesce(a.app_rank, 9)
            AND coalesce(b.class, 'unknown') <> 'unknown'
            AND c.state_changed_at > cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        )
            AS state_differs,
        -- Where neither side has money, or will have any, the figure harms nobody.
        c.kind <> 'refund'
        AND NOT (coalesce(a.class, '') = 'dead' AND (b.class = 'dead' OR c.provider_state = 'pending'))
            AS amount_matters
    FROM compared AS c
    LEFT JOIN classes AS a ON c.app_state = a.state
    LEFT JOIN classes AS b ON c.provider_state = b.state
    WHERE c.choice = 1
),

differences AS (
    SELECT
        j.*,
        -- Of coins more than was asked for is no harm, and less is none that the application knows of.
        coalesce(
            j.amount_matters
            AND CASE
                WHEN j.kind = 'deposit' THEN j.came_short AND j.app_state <> 'partially_paid'
                ELSE j.provider_amount <> j.app_amount
            END,
            FALSE
        ) AS amount_differs,
        coalesce(
            j.amount_matters
            AND CASE WHEN j.kind = 'deposit' THEN j.is_wrong_coin ELSE j.currency <> j.app_currency END,
            FALSE
        ) AS currency_differs
    FROM judged AS j
)

SELECT
    d.provider,
    d.provider_ref,
    d.payment_id,
    d.user_id,
    u.username,
    d.app_status,
    d.app_state,
    d.raw_status AS provider_status,
    d.provider_state,
    d.app_amount,
    d.provider_amount,
    d.provider_amount AS amount,
    d.app_currency,
    d.currency,
    substring(
        CASE WHEN d.state_differs THEN ', state' ELSE '' END
        || CASE WHEN d.amount_differs THEN ', amount' ELSE '' END
        || CASE WHEN d.currency_differs THEN ', currency' ELSE '' END,
        3
    ) AS difference,
    d.state_changed_at AS provider_changed_at,
    coalesce(
        'application says ' || d.app_status || ' ' || cast(d.app_amount AS text) || ' ' || d.app_currency,
        'application knows nothing of it'
    )
    || ', provider says ' || d.raw_status || ' ' || cast(d.provider_amount AS text) || ' ' || d.currency AS reason
FROM differences AS d
LEFT JOIN recon.app_users AS u ON d.user_id = u.user_id
WHERE d.state_differs OR d.amount_differs OR d.currency_differs
