-- The newest payment of this user that is paid, at the provider or in the application, and buys a plan: the rule of
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
    WHERE t.kind <> 'refund'
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
        AND t.currency = coalesce(p.crypto_currency, t.currency)
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
        AND t.link_method IN ('reference', 'metadata', 'checkout')
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
        t.state,
        t.currency,
        t.amount_refunded,
        t.paid_at,
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
            WHEN t.kind = 'deposit' AND t.state = 'paid' AND t.amount < p.crypto_amount * (1 - :tolerance)
                THEN 'silent'
            WHEN t.state = 'paid' THEN 'paid'
            WHEN
                t.raw_status = 'partially_paid'
                AND t.received_currency = p.crypto_currency
                AND t.amount_received + coalesce(r.amount, 0) >= p.crypto_amount * (1 - :tolerance)
                THEN 'silent'
            ELSE 'refused'
        END AS verdict,
        (
            t.link_method NOT IN ('ambiguous', 'foreign')
            AND NOT EXISTS (
                SELECT 1 FROM recon.app_payments AS o
                WHERE
                    o.provider = p.provider
                    AND o.provider_ref = p.provider_ref
                    AND o.user_id <> p.user_id
            )
            AND NOT EXISTS (
                SELECT 1 FROM recon.app_payments AS o
                WHERE c.way = 2 AND o.tx_hash = p.tx_hash AND o.payment_id <> p.payment_id
            )
        ) AS is_his_alone,
        row_number() OVER (
            PARTITION BY p.payment_id
            ORDER BY
                c.way ASC,
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
        ON c.payment_id = r.payment_id AND p.crypto_currency = r.received_currency
    WHERE t.vanished_at IS NULL
),

paid AS (
    SELECT
        p.payment_id,
        p.plan_id,
        p.status AS payment_status,
        p.app_state,
        p.provider,
        p.provider_ref,
        p.amount,
        p.currency,
        e.state AS provider_state,
        coalesce(e.amount_refunded, 0) AS amount_refunded,
        coalesce(p.confirmed_at, e.paid_at, p.created_at) AS paid_at,
        coalesce(
            p.app_state = 'paid' OR (e.amount = p.amount AND e.currency = p.currency) OR p.crypto_amount IS NOT NULL,
            FALSE
        ) AS is_full_price
    FROM purchases AS p
    LEFT JOIN evidence AS e ON p.payment_id = e.payment_id AND e.choice = 1
    WHERE
        (p.app_state = 'paid' AND coalesce(e.verdict, 'silent') IN ('paid', 'silent'))
        OR (p.app_state <> 'refunded' AND e.verdict = 'paid' AND e.is_his_alone)
)

SELECT
    cast(p.payment_id AS text) AS payment_id,
    cast(p.plan_id AS text) AS plan_id,
    p.payment_status,
    p.app_state,
    p.provider,
    p.provider_ref,
    p.provider_state,
    p.amount,
    p.currency,
    p.amount_refunded,
    p.is_full_price,
    p.paid_at,
    l.plan_name,
    l.tier,
    lower(l.period) AS period,
    p.paid_at + CASE lower(l.period)
        WHEN 'day' THEN interval '1 day'
        WHEN 'week' THEN interval '7 days'
        WHEN 'month' THEN interval '1 month'
        WHEN 'quarter' THEN interval '3 months'
        WHEN 'year' THEN interval '1 year'
    END AS renews_at
FROM paid AS p
LEFT JOIN recon.app_plans AS l ON p.plan_id = l.plan_id
ORDER BY p.paid_at DESC, p.payment_id DESC
LIMIT 1;
