/*---
title: Application and provider disagree about a payment
why: >-
  One side counts money that the other does not have: services are given away, payers are refused, and the books do
  not close.
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
intraday: touched
touched:
  by: transaction
  relations:
    - suspects.t
    - nameless.p by payment
    - by_hash.t
    - matched.x
    - pairs.t
    - pairs.o
    - received_in_parts.c
params:
  grace_seconds: 300
  tolerance: 0.02
action: sync_payment_status
columns:
  provider: Who took the money.
  provider_ref: The provider's id of the payment or deposit.
  payment_id: The application's id of the payment.
  user_id: The payer.
  username: The payer's name in the application.
  app_status: Status as the application wrote it.
  app_state: The same in canonical words.
  provider_status: Status as the provider calls it.
  provider_state: The same in canonical words.
  app_amount: Amount in the application, in major units; of a deposit, in coins.
  app_currency: Currency in the application.
  amount: At risk, the provider's amount in major units; of a part-captured payment, the captured part.
  currency: Currency at the provider.
  provider_changed_at: When the provider's state last changed (UTC).
  reason: Both sides in words.
---*/
-- States only. Another figure or currency is told by amount_mismatches, a status that nobody knows by
-- unmapped_statuses, a payment that the provider does not have by unknown_payments; coins that came short or in another
-- coin by the crypto reports, so that such a deposit is no proof that the payment was paid.
WITH classes (state, class, app_rank, provider_rank) AS (
    -- States that mean the same to a reader of both sides share a class. A provider whose rank is above the
    -- application's is ahead of it: its webhook may be on the way. What is unknown is in none.
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
    ('refunded', 'returned', 5, 5)
),

other_words AS (
    -- Words for "paid" that mean something else to this application: none, as a rule.
    SELECT
        m.raw_status,
        m.state
    FROM recon.state_map AS m
    WHERE
        m.provider = 'app'
        AND m.resource = 'app_payment'
        AND m.raw_status IN (
            'completed', 'confirmed', 'finished', 'paid', 'succeeded', 'captured', 'complete', 'success', 'successful',
            'settled', 'partially_refunded', 'partial_refund'
        )
        AND CASE WHEN m.state = 'paid' THEN 0 ELSE 1 END = 1
),

suspects AS (
    -- Two that are simply paid agree, and nearly all are. What is not, on either side, stands in an index of its own,
    -- and is looked up on the other side. A state that is in no mapping differs from nothing: such a pair falls away
    -- below. As a CASE, because then the database expects few rows and looks the rest up by index.
    SELECT
        t.provider,
        t.provider_ref
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    WHERE
        t.kind IN ('payment', 'deposit')
        AND p.status NOT IN (
            'completed', 'confirmed', 'finished', 'paid', 'succeeded', 'captured', 'complete', 'success', 'successful',
            'settled', 'partially_refunded', 'partial_refund'
        )
        AND CASE
            WHEN (p.status, t.state) IN (
                SELECT
                    m.raw_status,
                    m.state
                FROM recon.state_map AS m
                WHERE m.provider = 'app' AND m.resource = 'app_payment'
            ) THEN 0
            WHEN t.state = 'unknown' THEN 0
            ELSE 1
        END = 1
    UNION
    SELECT
        t.provider,
        t.provider_ref
    FROM recon.provider_transactions AS t
    INNER JOIN recon.app_payments AS p ON t.provider = p.provider AND t.provider_ref = p.provider_ref
    WHERE
        t.kind IN ('payment', 'deposit')
        AND t.state <> 'paid'
        AND CASE
            WHEN (p.status, t.state) IN (
                SELECT
                    m.raw_status,
                    m.state
                FROM recon.state_map AS m
                WHERE m.provider = 'app' AND m.resource = 'app_payment'
            ) THEN 0
            WHEN t.state = 'unknown' THEN 0
            ELSE 1
        END = 1
    UNION
    SELECT
        t.provider,
        t.provider_ref
    FROM other_words AS w
    INNER JOIN recon.app_payments AS p ON w.raw_status = p.status
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    WHERE
        t.kind IN ('payment', 'deposit')
        AND CASE WHEN t.state IN (w.state, 'unknown') THEN 0 ELSE 1 END = 1
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

nameless AS (
    -- Payments that may know their deposit by its transaction hash, in its own column or in place of the id, where one
    -- of the two is not simply paid.
    SELECT
        p.payment_id,
        p.provider,
        p.provider_ref,
        p.status,
        p.deposit_address,
        p.deposit_tag,
        coalesce(nullif(p.tx_hash, ''), p.provider_ref) AS tx_hash
    FROM recon.app_payments AS p
    WHERE
        p.provider = 'okx'
        AND p.status NOT IN (
            'completed', 'confirmed', 'finished', 'paid', 'succeeded', 'captured', 'complete', 'success', 'successful',
            'settled', 'partially_refunded', 'partial_refund'
        )
    UNION
    SELECT
        p.payment_id,
        p.provider,
        p.provider_ref,
        p.status,
        p.deposit_address,
        p.deposit_tag,
        coalesce(nullif(p.tx_hash, ''), p.provider_ref) AS tx_hash
    FROM other_words AS w
    INNER JOIN recon.app_payments AS p ON w.raw_status = p.status
    WHERE CASE WHEN p.provider = 'okx' THEN 1 ELSE 0 END = 1
    UNION
    SELECT
        p.payment_id,
        p.provider,
        p.provider_ref,
        p.status,
        p.deposit_address,
        p.deposit_tag,
        coalesce(nullif(p.tx_hash, ''), p.provider_ref) AS tx_hash
    FROM recon.provider_transactions AS d
    INNER JOIN recon.app_payments AS p ON d.provider = p.provider AND d.tx_hash = p.tx_hash
    WHERE d.kind = 'deposit' AND d.state <> 'paid' AND d.provider = 'okx'
    UNION
    SELECT
        p.payment_id,
        p.provider,
        p.provider_ref,
        p.status,
        p.deposit_address,
        p.deposit_tag,
        coalesce(nullif(p.tx_hash, ''), p.provider_ref) AS tx_hash
    FROM recon.provider_transactions AS d
    INNER JOIN recon.app_payments AS p ON d.provider = p.provider AND d.tx_hash = p.provider_ref
    WHERE d.kind = 'deposit' AND d.state <> 'paid' AND d.provider = 'okx'
),

by_hash AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        n.payment_id
    FROM nameless AS n
    INNER JOIN recon.provider_transactions AS t ON n.tx_hash = t.tx_hash AND n.provider = t.provider
    WHERE
        t.kind = 'deposit'
        -- It names no object, be it of a kind that is not compared.
        AND NOT EXISTS (
            SELECT 1 FROM recon.provider_transactions AS o
            WHERE o.provider = n.provider AND o.provider_ref = n.provider_ref
        )
        AND lower(coalesce(t.deposit_address, '')) = lower(coalesce(n.deposit_address, t.deposit_address, ''))
        AND coalesce(t.deposit_tag, '') = coalesce(nullif(n.deposit_tag, ''), t.deposit_tag, '')
        -- Another payment that is not given up names it too: a matter of ambiguous_deposits.
        AND NOT (
            t.link_method = 'ambiguous'
            AND EXISTS (
                SELECT 1
                FROM recon.app_payments AS o
                LEFT JOIN recon.state_map AS m
                    ON o.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
                WHERE
                    o.provider = n.provider
                    AND o.tx_hash = n.tx_hash
                    AND o.payment_id <> n.payment_id
                    AND coalesce(m.state, 'unknown') NOT IN ('failed', 'canceled', 'expired')
            )
        )
        AND CASE
            WHEN (n.status, t.state) IN (
                SELECT
                    m.raw_status,
                    m.state
                FROM recon.state_map AS m
                WHERE m.provider = 'app' AND m.resource = 'app_payment'
            ) THEN 0
            WHEN t.state = 'unknown' THEN 0
            ELSE 1
        END = 1
),

matched AS (
    -- Deposits that matching gave to a payment that still waits: all of it came, and in time (late_deposits tells the
    -- rest). The last of several parts speaks for all.
    SELECT
        x.provider,
        x.account,
        x.provider_ref,
        p.payment_id,
        sum(x.amount_share) OVER (PARTITION BY x.provider, x.payment_ref) AS came,
        row_number() OVER (
            PARTITION BY x.provider, x.payment_ref ORDER BY t.state_changed_at DESC, x.account ASC, x.provider_ref ASC
        ) AS part
    FROM recon.deposit_matches AS x
    INNER JOIN recon.app_payments AS p ON x.provider = p.provider AND x.payment_ref = cast(p.payment_id AS text)
    INNER JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    INNER JOIN recon.provider_transactions AS t
        ON x.provider = t.provider AND x.account = t.account AND x.provider_ref = t.provider_ref
    WHERE
        x.state = 'matched'
        AND x.outcome IN ('full', 'over')
        AND NOT x.came_late
        AND p.provider IN ('okx', 'nowpayments')
        AND CASE WHEN m.state IN ('pending', 'processing', 'partially_paid') THEN 1 ELSE 0 END = 1
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
),

pairs AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref,
        p.payment_id,
        cast(NULL AS numeric) AS came,
        FALSE AS is_named
    FROM suspects AS s
    INNER JOIN recon.provider_transactions AS t ON s.provider = t.provider AND s.provider_ref = t.provider_ref
    INNER JOIN suspect_payments AS p ON s.provider = p.provider AND s.provider_ref = p.provider_ref
    WHERE t.kind IN ('payment', 'deposit')
    UNION
    -- Deposits that the application knows by their transaction hash only.
    SELECT
        h.provider,
        h.account,
        h.provider_ref,
        h.payment_id,
        cast(NULL AS numeric) AS came,
        FALSE AS is_named
    FROM by_hash AS h
    UNION
    -- Deposits that matching gave to a payment.
    SELECT
        x.provider,
        x.account,
        x.provider_ref,
        x.payment_id,
        x.came,
        FALSE AS is_named
    FROM matched AS x
    WHERE x.part = 1
    UNION
    -- Payments whose id the application never stored, but that of the charge, of the checkout, or nothing.
    SELECT
        o.provider,
        o.account,
        o.provider_ref,
        o.payment_id,
        cast(NULL AS numeric) AS came,
        o.way = 3 AS is_named
    FROM recon.payment_objects AS o
    WHERE o.way <> 1
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
        t.account,
        t.provider_ref,
        t.state AS provider_state,
        t.raw_status,
        t.state_changed_at,
        t.currency,
        p.payment_id,
        p.user_id,
        p.status AS app_status,
        m.state AS app_state,
        -- Of a deposit, what was asked for in coins.
        CASE WHEN t.kind = 'deposit' AND p.crypto_amount IS NOT NULL THEN p.crypto_amount ELSE p.amount END
            AS app_amount,
        CASE WHEN t.kind = 'deposit' AND p.crypto_currency IS NOT NULL THEN p.crypto_currency ELSE p.currency END
            AS app_currency,
        CASE
            WHEN x.came IS NOT NULL THEN x.came
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
        -- Another coin, or too little of it: this deposit does not say that the payment was paid.
        coalesce(
            t.kind = 'deposit'
            AND x.came IS NULL
            AND (
                t.currency <> p.crypto_currency
                OR (t.state = 'paid' AND t.amount < p.crypto_amount * (1 - :tolerance))
            ),
            FALSE
        ) AS is_another_matter,
        -- The application took the provider's own word over, e.g. a gateway's "confirmed". What it gave up along with
        -- the provider, and money came for, is not the same.
        coalesce(
            t.state IN ('pending', 'processing', 'partially_paid')
            AND lower(t.raw_status) = p.status
            AND NOT (t.state = 'partially_paid' AND m.state IN ('failed', 'canceled', 'expired')),
            FALSE
        ) AS is_same_word,
        -- Short here, and in repeated deposits there: crypto_underpaid judges it.
        coalesce(m.state = 'partially_paid' AND r.amount > 0, FALSE) AS is_short_in_parts,
        -- Of several objects that name one payment one stands for it, as in recon.payment_verdicts.
        CASE
            WHEN x.is_named
                THEN
                    row_number()
                        OVER (
                            PARTITION BY x.is_named, p.payment_id
                            ORDER BY
                                CASE WHEN t.state = 'paid' THEN 0 ELSE 1 END ASC,
                                CASE WHEN t.state = 'paid' THEN t.provider_created_at END ASC,
                                t.state_changed_at DESC, t.account ASC, t.provider_ref ASC
                        )
            ELSE 1
        END AS standing,
        row_number() OVER (
            PARTITION BY t.provider, t.provider_ref
            ORDER BY
                p.created_at DESC, p.payment_id DESC, t.state_changed_at DESC, t.account ASC, x.came ASC NULLS LAST
        ) AS choice
    FROM pairs AS x
    INNER JOIN recon.provider_transactions AS t
        ON x.provider = t.provider AND x.account = t.account AND x.provider_ref = t.provider_ref
    INNER JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    LEFT JOIN received_in_parts AS r
        ON
            t.provider = r.provider
            AND t.account = r.account
            AND t.provider_ref = r.parent_ref
            AND t.received_currency = r.received_currency
    WHERE
        t.vanished_at IS NULL
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND t.state_changed_at <= cast(:as_of AS timestamptz)
        AND p.created_at <= cast(:as_of AS timestamptz)
)

SELECT
    c.provider,
    c.provider_ref,
    c.payment_id,
    c.user_id,
    u.username,
    c.app_status,
    c.app_state,
    c.raw_status AS provider_status,
    c.provider_state,
    c.app_amount,
    c.app_currency,
    c.provider_amount AS amount,
    c.currency,
    c.state_changed_at AS provider_changed_at,
    'application says ' || c.app_status || ', provider says ' || c.raw_status || CASE
        WHEN c.provider_state IN (lower(c.raw_status), 'pending', 'processing') THEN ''
        ELSE ' (' || c.provider_state || ')'
    END AS reason
FROM compared AS c
INNER JOIN classes AS a ON c.app_state = a.state
INNER JOIN classes AS b ON c.provider_state = b.state
LEFT JOIN recon.app_users AS u ON c.user_id = u.user_id
WHERE
    c.choice = 1
    AND c.standing = 1
    AND a.class <> b.class
    AND NOT c.is_short_in_parts
    AND NOT c.is_another_matter
    -- Lost in a dispute: at the provider the payment itself stays as it was.
    AND NOT (
        c.app_state = 'refunded'
        AND c.provider_state = 'paid'
        AND EXISTS (
            SELECT 1
            FROM recon.stripe_disputes AS d
            WHERE
                c.provider = 'stripe'
                AND d.account = c.account
                AND d.payment_intent_id = c.provider_ref
                AND d.status = 'lost'
                AND d.vanished_at IS NULL
        )
    )
    -- An abandoned attempt: the provider keeps it open for another card or coin.
    AND NOT (a.class = 'dead' AND c.provider_state = 'pending')
    AND NOT (c.app_state = 'paid' AND c.came_in_full)
    AND NOT c.is_same_word
    -- The provider is ahead and has just moved: its webhook is on the way. Not counted from the application's own
    -- update, because a row that a poller touches every minute would never be reported.
    AND NOT (
        b.provider_rank > a.app_rank
        AND c.state_changed_at > cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
    )
