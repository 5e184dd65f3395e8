-- The newest payment of this user that is paid, at the provider or in the application, and buys a plan; where one
-- still runs, the newest of those. The rule of
-- sql/reports/activation_gaps.sql for one user, on the live tables, without its grace period (a payment made a second
-- ago must stop the repair of an older one). The tests hold both against each other. renews_at is the end of the
-- period that was bought, by PostgreSQL's calendar in UTC: one month after 31 January is the last of February.
WITH purchases AS (
    SELECT
        a.payment_id,
        a.user_id,
        a.plan_id,
        a.provider,
        a.provider_ref,
        a.status,
        a.amount,
        a.currency,
        a.crypto_currency,
        a.crypto_amount,
        a.deposit_address,
        a.deposit_tag,
        a.created_at,
        a.confirmed_at,
        coalesce(a.tx_hash, a.provider_ref) AS tx_hash,
        coalesce(m.state, 'unknown') AS app_state
    FROM recon.app_payments AS a
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'app' AND m.resource = 'app_payment' AND a.status = m.raw_status
    WHERE a.user_id = :user_id AND a.plan_id IS NOT NULL AND a.booking_id IS NULL
),

candidates AS (
    SELECT
        p.payment_id,
        t.provider,
        t.account,
        t.provider_ref,
        1 AS way
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.provider_ref = t.provider_ref
    WHERE t.kind IN ('payment', 'deposit')
    UNION ALL
    SELECT
        p.payment_id,
        t.provider,
        t.account,
        t.provider_ref,
        2 AS way
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t ON p.provider = t.provider AND p.tx_hash = t.tx_hash
    WHERE
        t.kind = 'deposit'
        AND coalesce(t.deposit_address, '') = coalesce(p.deposit_address, t.deposit_address, '')
        AND coalesce(t.deposit_tag, '') = coalesce(p.deposit_tag, t.deposit_tag, '')
    UNION ALL
    SELECT
        p.payment_id,
        t.provider,
        t.account,
        t.provider_ref,
        3 AS way
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t
        ON p.provider = t.provider AND cast(p.payment_id AS text) = t.payment_ref
    WHERE
        p.provider_ref IS NULL
        AND t.kind = 'payment'
        AND t.parent_ref IS NULL
        AND t.link_method IN ('metadata', 'checkout')
),

received_in_parts AS (
    SELECT
        c.payment_id,
        t.received_currency,
        sum(t.amount_received) AS amount
    FROM candidates AS c
    INNER JOIN recon.provider_transactions AS t
        ON c.provider = t.provider AND c.account = t.account AND c.provider_ref = t.parent_ref
    WHERE c.way = 1 AND t.kind = 'payment' AND t.state IN ('paid', 'partially_paid')
    GROUP BY c.payment_id, t.received_currency
),

evidence AS (
    SELECT
        p.payment_id,
        t.kind,
        t.state,
        t.currency,
        t.amount_refunded,
        t.paid_at,
        t.disputed,
        CASE
            WHEN t.amount_received > 0 AND coalesce(t.received_currency, t.currency) = t.currency
                THEN t.amount_received
            ELSE t.amount
        END AS amount,
        CASE
            WHEN
                t.amount_refunded > 0
                AND (
                    t.amount_refunded >= t.amount
                    OR (
                        t.amount_refunded >= t.amount_received
                        AND t.amount_received > 0
                        AND coalesce(t.received_currency, t.currency) = t.currency
                    )
                )
                THEN 'refused'
            -- Another coin, or less of it than was asked for, pays for nothing.
            WHEN
                t.kind = 'deposit'
                AND (t.currency <> p.crypto_currency OR t.amount < p.crypto_amount * (1 - :tolerance))
                THEN 'refused'
            WHEN t.state = 'paid' THEN 'paid'
            WHEN
                t.raw_status = 'partially_paid'
                AND t.amount_received + coalesce(r.amount, 0) >= (1 - :tolerance) * coalesce(
                    t.expected_amount, CASE WHEN t.received_currency = p.crypto_currency THEN p.crypto_amount END
                )
                THEN 'silent'
            -- The application took the provider's own word over: a gateway's "confirmed" is as good as paid to it.
            WHEN t.state = 'processing' AND lower(t.raw_status) = p.status THEN 'silent'
            ELSE 'refused'
        END AS verdict,
        t.link_method NOT IN ('ambiguous', 'foreign') AS is_sure,
        row_number() OVER (
            PARTITION BY p.payment_id
            ORDER BY
                c.way ASC,
                CASE WHEN t.kind = 'deposit' AND t.currency <> p.crypto_currency THEN 1 ELSE 0 END ASC,
                CASE WHEN t.state = 'paid' THEN 0 ELSE 1 END ASC,
                t.state_changed_at DESC,
                t.account ASC,
                t.provider_ref ASC
        ) AS choice
    FROM candidates AS c
    INNER JOIN purchases AS p ON c.payment_id = p.payment_id
    INNER JOIN recon.provider_transactions AS t
        ON c.provider = t.provider AND c.account = t.account AND c.provider_ref = t.provider_ref
    LEFT JOIN received_in_parts AS r
        ON c.payment_id = r.payment_id AND t.received_currency = r.received_currency
    WHERE t.vanished_at IS NULL
),

returned AS (
    -- Refunds speak for themselves where the payment they return was never read.
    SELECT
        p.payment_id,
        sum(t.amount) AS amount
    FROM purchases AS p
    INNER JOIN recon.provider_transactions AS t
        ON p.provider = t.provider AND p.provider_ref = t.parent_ref AND p.currency = t.currency
    WHERE t.kind = 'refund' AND t.state = 'refunded' AND t.vanished_at IS NULL
    GROUP BY p.payment_id
),

shared AS (
    -- One object of the provider never pays for two people, nor one deposit for two payments.
    SELECT p.payment_id
    FROM purchases AS p
    INNER JOIN recon.app_payments AS o ON p.provider = o.provider AND p.provider_ref = o.provider_ref
    WHERE o.user_id <> p.user_id
    UNION
    SELECT p.payment_id
    FROM purchases AS p
    INNER JOIN recon.app_payments AS o ON p.provider = o.provider AND p.tx_hash = o.tx_hash
    WHERE
        o.payment_id <> p.payment_id
        AND coalesce(o.deposit_address, p.deposit_address, '') = coalesce(p.deposit_address, o.deposit_address, '')
        AND coalesce(o.deposit_tag, p.deposit_tag, '') = coalesce(p.deposit_tag, o.deposit_tag, '')
),

paid AS (
    SELECT
        p.payment_id,
        p.user_id,
        p.plan_id,
        p.status AS payment_status,
        p.app_state,
        p.provider,
        p.provider_ref,
        p.amount,
        p.currency,
        l.plan_name,
        l.tier,
        l.price,
        l.currency AS price_currency,
        lower(l.period) AS period,
        e.state AS provider_state,
        coalesce(e.amount_refunded, 0) AS amount_refunded,
        coalesce(p.confirmed_at, e.paid_at, p.created_at) AS paid_at,
        coalesce(
            p.app_state = 'paid'
            OR (e.amount = p.amount AND e.currency = p.currency)
            OR (p.crypto_amount IS NOT NULL AND (p.crypto_currency IS NOT NULL OR e.kind <> 'deposit')),
            FALSE
        ) AS is_full_price,
        coalesce(e.is_sure, TRUE) AND o.payment_id IS NULL AS is_his_alone,
        coalesce(e.disputed, FALSE) AS is_disputed
    FROM purchases AS p
    LEFT JOIN evidence AS e ON p.payment_id = e.payment_id AND e.choice = 1
    LEFT JOIN returned AS b ON p.payment_id = b.payment_id
    LEFT JOIN shared AS o ON p.payment_id = o.payment_id
    LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
    WHERE
        (
            p.app_state = 'paid'
            AND coalesce(e.verdict, CASE WHEN b.amount >= p.amount THEN 'refused' END, 'silent') IN ('paid', 'silent')
        )
        OR (p.app_state <> 'refunded' AND e.verdict = 'paid' AND e.is_sure AND o.payment_id IS NULL)
),

termed AS (
    SELECT
        p.*,
        p.paid_at + CASE p.period
            WHEN 'day' THEN interval '1 day'
            WHEN 'week' THEN interval '7 days'
            WHEN 'month' THEN interval '1 month'
            WHEN 'quarter' THEN interval '3 months'
            WHEN 'year' THEN interval '1 year'
        END AS renews_at,
        CASE p.period
            WHEN 'day' THEN p.paid_at + interval '1 day'
            WHEN 'week' THEN p.paid_at + interval '7 days'
            WHEN 'month' THEN p.paid_at + interval '1 month'
            WHEN 'quarter' THEN p.paid_at + interval '3 months'
            WHEN 'lifetime' THEN cast('infinity' AS timestamptz)
            ELSE p.paid_at + interval '1 year'
        END AS runs_until,
        p.price / CASE p.period
            WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 30 WHEN 'quarter' THEN 91 WHEN 'year' THEN 365
        END AS price_a_day
    FROM paid AS p
)

SELECT
    cast(n.payment_id AS text) AS payment_id,
    cast(n.plan_id AS text) AS plan_id,
    n.payment_status,
    n.app_state,
    n.provider,
    n.provider_ref,
    n.provider_state,
    n.amount,
    n.currency,
    n.amount_refunded,
    n.is_full_price,
    n.is_his_alone,
    n.is_disputed,
    n.paid_at,
    n.plan_name,
    n.tier,
    n.period,
    n.renews_at,
    coalesce(u.has_access, FALSE) AND (
        EXISTS (
            SELECT 1 FROM termed AS o
            WHERE
                o.payment_id <> n.payment_id
                AND lower(o.tier) IS DISTINCT FROM lower(n.tier)
                AND o.runs_until > :as_of
                AND NOT coalesce(
                    o.price_currency = n.price_currency
                    AND o.price_a_day < n.price_a_day
                    AND o.runs_until <= n.runs_until,
                    FALSE
                )
        )
        OR coalesce(
            lower(u.subscription_tier) <> lower(n.tier) AND u.subscription_renewal_date > n.runs_until, FALSE
        )
    ) AS takes_away,
    coalesce(u.has_access, FALSE) AND EXISTS (
        SELECT 1 FROM termed AS f
        WHERE f.paid_at > n.paid_at AND lower(f.tier) = lower(u.subscription_tier)
    ) AS is_superseded
FROM termed AS n
INNER JOIN recon.app_users AS u ON n.user_id = u.user_id
ORDER BY n.runs_until > :as_of DESC, n.paid_at DESC, n.payment_id DESC
LIMIT 1;
