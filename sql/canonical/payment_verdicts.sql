-- What each of the application's payments is worth, by the word of both sides: is it paid, is it returned, until when
-- does what it bought run? The one place of this rule; reports, entitlements and repairs read it for the users they
-- care about, each row costs a few index look-ups. Nothing here depends on a moment or a tolerance: readers add theirs
-- (came >= asked * (1 - tolerance), where both are known; created_at and paid_at against as_of).
CREATE VIEW recon.payment_verdicts AS
WITH purchases AS (
    SELECT
        p.payment_id,
        p.user_id,
        p.plan_id,
        p.booking_id,
        p.provider,
        -- Some applications write '' where they mean nothing.
        nullif(p.provider_ref, '') AS provider_ref,
        p.status,
        p.amount,
        p.currency,
        p.crypto_currency,
        p.crypto_amount,
        p.deposit_address,
        p.deposit_tag,
        p.created_at,
        p.confirmed_at,
        p.updated_at,
        -- Some write it in place of the id.
        coalesce(nullif(p.tx_hash, ''), nullif(p.provider_ref, '')) AS tx_hash,
        coalesce(m.state, 'unknown') AS app_state,
        l.plan_id AS known_plan_id,
        l.plan_name,
        l.tier,
        l.price,
        l.currency AS price_currency,
        lower(l.period) AS period
    FROM recon.app_payments AS p
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
),

judged AS (
    SELECT
        p.*,
        e.state AS provider_state,
        e.kind AS evidence_kind,
        e.account AS evidence_account,
        e.provider_ref AS evidence_ref,
        e.user_ref AS evidence_user,
        e.link_method,
        e.amount_refunded,
        e.state_changed_at,
        e.paid_at AS provider_paid_at,
        e.amount AS evidence_amount,
        e.currency AS evidence_currency,
        e.came,
        e.asked,
        e.is_sure,
        e.lost_at,
        e.is_contested,
        (
            SELECT count(*)
            FROM recon.provider_transactions AS b
            WHERE
                b.provider = p.provider
                AND b.account = e.account
                AND b.parent_ref = e.provider_ref
                AND b.kind = 'refund'
                AND b.state IN ('failed', 'canceled')
                AND b.vanished_at IS NULL
        ) > 0 AS has_failed_refund,
        CASE
            WHEN e.verdict = 'paid' AND e.lost_at IS NOT NULL THEN 'returned'
            WHEN e.verdict IS NOT NULL THEN e.verdict
            -- Refunds speak for themselves where the payment they return was never read.
            WHEN p.amount <= (
                SELECT sum(b.amount)
                FROM recon.provider_transactions AS b
                WHERE
                    b.provider = p.provider
                    AND b.parent_ref = p.provider_ref
                    AND b.currency = p.currency
                    AND b.kind = 'refund'
                    AND b.state = 'refunded'
                    AND b.vanished_at IS NULL
            ) THEN 'returned'
            ELSE 'silent'
        END AS verdict,
        -- One object of the provider never pays for two people, nor one deposit for two payments.
        coalesce(e.is_sure, TRUE)
        AND NOT EXISTS (
            SELECT 1
            FROM recon.app_payments AS o
            WHERE o.provider = p.provider AND o.provider_ref = p.provider_ref AND o.user_id <> p.user_id
        )
        AND NOT EXISTS (
            SELECT 1
            FROM recon.app_payments AS o
            WHERE
                o.provider = p.provider
                AND o.tx_hash = p.tx_hash
                AND o.payment_id <> p.payment_id
                AND coalesce(o.deposit_address, p.deposit_address, '')
                = coalesce(p.deposit_address, o.deposit_address, '')
                AND coalesce(o.deposit_tag, p.deposit_tag, '') = coalesce(p.deposit_tag, o.deposit_tag, '')
                -- A try of his own that the application gave up is no rival.
                AND NOT coalesce(
                    o.user_id = p.user_id
                    AND o.status IN (
                        SELECT s.raw_status
                        FROM recon.state_map AS s
                        WHERE
                            s.provider = 'app'
                            AND s.resource = 'app_payment'
                            AND s.state IN ('failed', 'canceled', 'expired')
                    ),
                    FALSE
                )
        ) AS is_his_alone
    FROM purchases AS p
    LEFT JOIN LATERAL (
        -- The provider's word: the surest link first, then the right coin, then what is paid. way 0: deposits that
        -- matching gave to this payment, and that pay for it in full, be it in parts. 1: by the provider's id, or that
        -- of its charge. 2: a deposit by its transaction hash. 3: the application never stored the provider's id (but
        -- nothing, or a checkout's), and the provider's object carries the payment's. As in recon.payment_objects. Test
        -- money pays for nothing where there is real money.
        SELECT
            c.kind,
            c.account,
            c.provider_ref,
            c.state,
            c.currency,
            c.link_method,
            c.user_ref,
            c.amount_refunded,
            c.state_changed_at,
            c.paid_at,
            c.way = 0 OR c.link_method NOT IN ('ambiguous', 'foreign') AS is_sure,
            d.lost_at,
            coalesce(d.is_open, c.disputed) AS is_contested,
            CASE
                WHEN c.amount_received > 0 AND coalesce(c.received_currency, c.currency) = c.currency
                    THEN c.amount_received
                ELSE c.amount
            END AS amount,
            -- Null where all came: matching has compared already, with a tolerance of its own.
            CASE
                WHEN c.way = 0 THEN NULL
                WHEN c.kind = 'deposit' THEN c.amount
                WHEN c.raw_status = 'partially_paid' THEN c.amount_received + coalesce(r.amount, 0)
            END AS came,
            CASE
                WHEN c.way = 0 THEN NULL
                WHEN c.kind = 'deposit' THEN p.crypto_amount
                WHEN c.raw_status = 'partially_paid' THEN coalesce(
                    c.expected_amount, CASE WHEN c.received_currency = p.crypto_currency THEN p.crypto_amount END
                )
            END AS asked,
            CASE
                WHEN
                    c.amount_refunded > 0
                    AND (
                        c.amount_refunded >= c.amount
                        OR (
                            c.amount_refunded >= c.amount_received
                            AND c.amount_received > 0
                            AND coalesce(c.received_currency, c.currency) = c.currency
                        )
                    )
                    AND c.state IN ('paid', 'refunded')
                    THEN 'returned'
                WHEN c.state = 'refunded' THEN 'returned'
                WHEN c.amount_refunded >= c.amount AND c.amount_refunded > 0 THEN 'refused'
                -- Another coin pays for nothing; matching knows the coins' other names.
                WHEN c.way > 0 AND c.kind = 'deposit' AND c.currency <> p.crypto_currency THEN 'refused'
                WHEN c.state = 'paid' THEN 'paid'
                WHEN
                    c.raw_status = 'partially_paid'
                    AND c.amount_received IS NOT NULL
                    AND coalesce(
                        c.expected_amount, CASE WHEN c.received_currency = p.crypto_currency THEN p.crypto_amount END
                    ) IS NOT NULL
                    THEN 'silent'
                -- The application took the provider's own word over: a gateway's "confirmed" is as good as paid to it.
                WHEN c.state = 'processing' AND lower(c.raw_status) = p.status THEN 'silent'
                ELSE 'refused'
            END AS verdict
        FROM (
            SELECT
                t.*,
                1 AS way
            FROM recon.provider_transactions AS t
            WHERE t.provider = p.provider AND t.provider_ref = p.provider_ref AND t.kind IN ('payment', 'deposit')
            UNION ALL
            SELECT
                t.*,
                1 AS way
            FROM recon.stripe_payment_intents AS i
            INNER JOIN recon.provider_transactions AS t
                ON t.provider = 'stripe' AND i.account = t.account AND i.object_id = t.provider_ref
            WHERE
                p.provider = 'stripe'
                AND substring(p.provider_ref, 1, 3) IN ('ch_', 'py_')
                AND i.charge_id = p.provider_ref
            UNION ALL
            SELECT
                t.*,
                0 AS way
            FROM recon.deposit_matches AS x
            INNER JOIN recon.provider_transactions AS t
                ON x.provider = t.provider AND x.account = t.account AND x.provider_ref = t.provider_ref
            WHERE
                p.provider = 'okx'
                AND x.provider = 'okx'
                AND x.payment_ref = cast(p.payment_id AS text)
                AND x.state = 'matched'
                AND x.outcome IN ('full', 'over')
                AND t.kind = 'deposit'
            UNION ALL
            SELECT
                t.*,
                2 AS way
            FROM recon.provider_transactions AS t
            WHERE
                t.provider = p.provider
                AND t.tx_hash = p.tx_hash
                AND t.kind = 'deposit'
                AND lower(coalesce(t.deposit_address, '')) = lower(coalesce(p.deposit_address, t.deposit_address, ''))
                AND coalesce(t.deposit_tag, '') = coalesce(nullif(p.deposit_tag, ''), t.deposit_tag, '')
            UNION ALL
            SELECT
                t.*,
                3 AS way
            FROM recon.provider_transactions AS t
            WHERE
                coalesce(substring(p.provider_ref, 1, 3), '') <> 'pi_'
                AND t.provider = p.provider
                AND t.payment_ref = cast(p.payment_id AS text)
                AND t.kind = 'payment'
                AND t.parent_ref IS NULL
                AND t.link_method IN ('metadata', 'checkout')
        ) AS c
        LEFT JOIN LATERAL (
            -- A gateway's repeated deposits are objects of their own, children of the first.
            SELECT sum(s.amount_received) AS amount
            FROM recon.provider_transactions AS s
            WHERE
                c.raw_status = 'partially_paid'
                AND c.way = 1
                AND s.provider = c.provider
                AND s.account = c.account
                AND s.parent_ref = c.provider_ref
                AND s.kind = 'payment'
                AND s.received_currency = c.received_currency
                AND s.state IN ('paid', 'partially_paid')
        ) AS r ON TRUE
        LEFT JOIN LATERAL (
            -- What became of disputes over it: an inquiry that was closed and a dispute that was won leave the money
            -- here, one that was lost took it, unless it was about a part. Parts lost and parts given back add up.
            SELECT
                CASE
                    WHEN
                        sum(CASE WHEN f.state = 'refunded' THEN f.amount END) + c.amount_refunded >= CASE
                            WHEN c.state IN ('paid', 'refunded') AND c.amount_received > 0 THEN c.amount_received
                            ELSE c.amount
                        END
                        THEN max(CASE WHEN f.state = 'refunded' THEN f.at END)
                END AS lost_at,
                bool_or(f.state IN ('pending', 'frozen', 'unknown')) AS is_open
            FROM (
                SELECT
                    q.amount,
                    greatest(q.created_at, c.state_changed_at) AS at,
                    coalesce(m.state, 'unknown') AS state
                FROM recon.stripe_disputes AS q
                LEFT JOIN recon.state_map AS m
                    ON m.provider = 'stripe' AND m.resource = 'disputes' AND q.status = m.raw_status
                WHERE
                    c.provider = 'stripe'
                    AND q.account = c.account
                    AND q.payment_intent_id = c.provider_ref
                    AND q.vanished_at IS NULL
                UNION ALL
                -- Some name the charge alone.
                SELECT
                    q.amount,
                    greatest(q.created_at, c.state_changed_at) AS at,
                    coalesce(m.state, 'unknown') AS state
                FROM recon.stripe_disputes AS q
                LEFT JOIN recon.state_map AS m
                    ON m.provider = 'stripe' AND m.resource = 'disputes' AND q.status = m.raw_status
                WHERE
                    c.provider = 'stripe'
                    AND c.disputed
                    AND q.account = c.account
                    AND q.payment_intent_id IS NULL
                    AND q.charge_id = coalesce(
                        (
                            SELECT i.charge_id
                            FROM recon.stripe_payment_intents AS i
                            WHERE i.account = c.account AND i.object_id = c.provider_ref
                        ),
                        c.provider_ref
                    )
                    AND q.vanished_at IS NULL
            ) AS f
        ) AS d ON TRUE
        WHERE
            c.vanished_at IS NULL
            AND (c.livemode OR c.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
        ORDER BY
            c.way ASC,
            CASE WHEN c.kind = 'deposit' AND c.currency <> p.crypto_currency THEN 1 ELSE 0 END ASC,
            CASE WHEN c.state = 'paid' THEN 0 ELSE 1 END ASC,
            -- Of two that were paid for one payment the second is one too many.
            CASE WHEN c.way = 3 AND c.state = 'paid' THEN c.provider_created_at END ASC,
            c.state_changed_at DESC,
            c.account ASC,
            c.provider_ref ASC
        LIMIT 1
    ) AS e ON TRUE
),

dated AS (
    SELECT
        j.*,
        coalesce(j.confirmed_at, j.provider_paid_at, j.created_at) AS paid_at,
        -- When the payer paid: the application may have confirmed it days later.
        coalesce(least(j.confirmed_at, j.provider_paid_at), j.created_at) AS bought_at
    FROM judged AS j
),

worth AS (
    SELECT
        j.payment_id,
        j.user_id,
        j.plan_id,
        j.booking_id,
        j.provider,
        -- Of a deposit that the application never named, the exchange's id.
        coalesce(j.provider_ref, CASE WHEN j.evidence_kind = 'deposit' THEN j.evidence_ref END) AS provider_ref,
        j.status,
        j.app_state,
        j.provider_state,
        j.verdict,
        j.amount,
        j.currency,
        j.created_at,
        j.confirmed_at,
        j.paid_at,
        j.bought_at,
        j.provider_paid_at,
        j.evidence_account,
        j.evidence_ref,
        j.evidence_user,
        j.known_plan_id,
        j.plan_name,
        j.tier,
        j.price,
        j.price_currency,
        j.period,
        j.came,
        j.asked,
        j.is_his_alone,
        j.has_failed_refund,
        coalesce(j.amount_refunded, 0) AS amount_refunded,
        coalesce(j.is_contested, FALSE) AS is_disputed,
        -- Neither paid nor given up, by both sides.
        (
            j.app_state IN ('processing', 'authorized')
            AND coalesce(j.provider_state, 'processing') IN ('pending', 'processing', 'authorized')
            OR coalesce(j.provider_state, '') IN ('processing', 'authorized')
        ) AS is_under_way,
        -- Paid: both sides say so, or one does and the other does not contradict. Short by the word of both: readers
        -- say what they still take for all of it.
        (j.app_state = 'paid' AND j.verdict IN ('paid', 'silent'))
        OR (
            j.app_state = 'partially_paid'
            AND j.verdict = 'silent'
            AND j.came IS NOT NULL
            AND j.asked IS NOT NULL
            AND j.is_his_alone
        )
        OR (j.app_state <> 'refunded' AND j.verdict = 'paid' AND j.is_his_alone) AS is_paid,
        -- Returned: given back or lost in a dispute, all of it. The provider's word counts before the application's.
        j.verdict = 'returned' OR (j.app_state = 'refunded' AND j.verdict <> 'paid') AS is_returned,
        CASE WHEN j.lost_at IS NOT NULL THEN 'lost in a dispute' ELSE 'refunded' END AS returned_how,
        coalesce(j.lost_at, CASE WHEN j.verdict = 'returned' THEN j.state_changed_at END, j.updated_at) AS returned_at,
        coalesce(
            j.app_state = 'paid'
            OR (j.evidence_amount = j.amount AND j.evidence_currency = j.currency)
            OR (j.crypto_amount IS NOT NULL AND (j.crypto_currency IS NOT NULL OR j.evidence_kind <> 'deposit')),
            FALSE
        ) AS is_full_price,
        coalesce(j.period, '') IN ('day', 'week', 'month', 'quarter', 'year', 'lifetime') AS is_known_period,
        -- Until when what was bought runs, by the calendar; null: for ever. Unknown periods are the longest.
        CASE j.period
            WHEN 'day' THEN j.paid_at + INTERVAL '1' DAY
            WHEN 'week' THEN j.paid_at + INTERVAL '7' DAY
            WHEN 'month' THEN j.paid_at + INTERVAL '1' MONTH
            WHEN 'quarter' THEN j.paid_at + INTERVAL '3' MONTH
            WHEN 'lifetime' THEN NULL
            ELSE j.paid_at + INTERVAL '1' YEAR
        END AS paid_until,
        -- The same where the application's confirmation alone fixes it, else null.
        CASE j.period
            WHEN 'day' THEN j.confirmed_at + INTERVAL '1' DAY
            WHEN 'week' THEN j.confirmed_at + INTERVAL '7' DAY
            WHEN 'month' THEN j.confirmed_at + INTERVAL '1' MONTH
            WHEN 'quarter' THEN j.confirmed_at + INTERVAL '3' MONTH
            WHEN 'lifetime' THEN NULL
            ELSE j.confirmed_at + INTERVAL '1' YEAR
        END AS confirmed_until,
        -- The same for an application that counts 30 days a month, 90 a quarter and 365 a year; an hour less.
        CASE j.period
            WHEN 'day' THEN j.paid_at - INTERVAL '1' HOUR
            WHEN 'week' THEN j.paid_at + INTERVAL '6' DAY - INTERVAL '1' HOUR
            WHEN 'month' THEN j.paid_at + INTERVAL '1' MONTH - INTERVAL '25' HOUR
            WHEN 'quarter' THEN j.paid_at + INTERVAL '3' MONTH - INTERVAL '49' HOUR
            WHEN 'lifetime' THEN NULL
            ELSE j.paid_at + INTERVAL '1' YEAR - INTERVAL '25' HOUR
        END AS shortest_until,
        -- In days, where a month has as many as it can have.
        CASE j.period
            WHEN 'day' THEN 1
            WHEN 'week' THEN 7
            WHEN 'month' THEN 31
            WHEN 'quarter' THEN 92
            WHEN 'lifetime' THEN 365000
            ELSE 366
        END AS longest_days,
        j.price / CASE j.period
            WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 30 WHEN 'quarter' THEN 91 WHEN 'year' THEN 365
        END AS price_a_day
    FROM dated AS j
)

SELECT
    w.*,
    -- What went back counted before: until then, from as far back as is known what its payer had
    -- (recon.access_since). Null of all else.
    CASE
        WHEN w.verdict = 'returned'
            THEN coalesce(
                (SELECT a.unchanged_since FROM recon.access_since AS a WHERE a.user_id = w.user_id),
                (
                    SELECT a.unchanged_since
                    FROM recon.access_since AS a
                    WHERE w.user_id IS NULL AND cast(a.user_id AS text) = w.evidence_user
                ),
                timestamptz '-infinity'
            )
    END AS counted_from,
    CASE WHEN w.verdict = 'returned' THEN w.returned_at END AS counted_until
FROM worth AS w;
