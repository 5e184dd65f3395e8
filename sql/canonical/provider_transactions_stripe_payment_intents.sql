-- Stripe PaymentIntents as provider transactions.
-- Returned is the greater of the charge's own figure and of the refunds we know, for either may have been read before
-- the other changed. A refund that failed counts nowhere: it is taken back out of a charge that was read before it
-- was known to have failed. What a partial capture let go is no refund, though Stripe made one of it in earlier years
-- and some servers do: it is in there when otherwise more would have gone back than was taken, or all of it although
-- the charge says that it is not refunded and one refund is of just that rest. Whose each one is,
-- links/fill_stripe_links.sql found out.
WITH returned AS (
    SELECT
        r.account,
        r.payment_intent_id,
        coalesce(sum(CASE WHEN r.status NOT IN ('failed', 'canceled') THEN r.amount END), 0) AS amount,
        sum(CASE WHEN r.status IN ('failed', 'canceled') AND i.read_at < r.read_at THEN r.amount END) AS failed_since,
        max(CASE WHEN r.status NOT IN ('failed', 'canceled') THEN r.created_at END) AS last_at,
        bool_or(r.status NOT IN ('failed', 'canceled') AND r.amount = i.amount - i.amount_received) AS has_rest
    FROM pg_temp.due_stripe_payment_intents AS i
    INNER JOIN recon.stripe_refunds AS r ON i.account = r.account AND i.object_id = r.payment_intent_id
    WHERE r.vanished_at IS NULL
    GROUP BY r.account, r.payment_intent_id
),

read_so_far AS (
    SELECT
        p.*,
        f.last_at AS last_refund_at,
        coalesce(m.state, 'unknown') AS mapped_state,
        greatest(
            f.amount,
            CASE
                WHEN p.charge_amount_refunded <= f.amount + f.failed_since
                    THEN p.charge_amount_refunded - f.failed_since
                ELSE p.charge_amount_refunded
            END,
            0
        ) AS amount_refunded,
        CASE
            WHEN
                p.amount_received > 0
                AND p.amount_received < p.amount
                AND (
                    p.charge_amount_refunded > p.amount_received
                    OR (p.charge_amount_refunded = p.amount_received AND NOT p.charge_refunded AND f.has_rest)
                )
                THEN p.amount - p.amount_received
            ELSE 0
        END AS let_go,
        coalesce(p.charge_refunded, FALSE)
        AND NOT coalesce(p.charge_amount_refunded <= f.amount + f.failed_since, FALSE) AS charge_says_refunded
    FROM pg_temp.due_stripe_payment_intents AS p
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'stripe' AND m.resource = 'payment_intents' AND p.status = m.raw_status
    LEFT JOIN returned AS f ON p.account = f.account AND p.object_id = f.payment_intent_id
)

SELECT
    s.account,
    s.livemode,
    s.amount,
    s.amount_received,
    s.capture_before,
    s.read_at,
    s.vanished_at,
    'stripe' AS provider,
    s.object_id AS provider_ref,
    'payment' AS kind,
    cast(NULL AS text) AS parent_ref,
    greatest(s.amount_refunded - s.let_go, 0) AS amount_refunded,
    CASE
        WHEN
            s.mapped_state = 'paid'
            AND (
                s.charge_says_refunded
                OR (s.amount_received > 0 AND s.amount_refunded - s.let_go >= s.amount_received)
            )
            THEN 'refunded'
        ELSE s.mapped_state
    END AS state,
    s.status AS raw_status,
    upper(s.currency) AS currency,
    upper(s.currency) AS received_currency,
    cast(NULL AS numeric) AS expected_amount,
    coalesce(s.charge_disputed, FALSE) AS disputed,
    s.customer_id AS customer_ref,
    w.user_ref,
    w.payment_ref,
    w.link_method,
    w.link_evidence,
    cast(NULL AS text) AS deposit_address,
    cast(NULL AS text) AS deposit_tag,
    cast(NULL AS text) AS network,
    cast(NULL AS text) AS tx_hash,
    s.created_at AS provider_created_at,
    CASE WHEN s.mapped_state IN ('paid', 'refunded') THEN coalesce(s.charge_created_at, s.created_at) END AS paid_at,
    greatest(
        s.created_at,
        s.charge_created_at,
        s.canceled_at,
        s.last_refund_at,
        -- Without a date it was canceled before it was read so, and hardly later than the longest hold lasts.
        CASE
            WHEN s.status = 'canceled' AND s.canceled_at IS NULL
                THEN least(s.read_at, s.created_at + INTERVAL '31' DAY)
        END
    ) AS state_changed_at
FROM read_so_far AS s
INNER JOIN pg_temp.stripe_links AS w ON s.account = w.account AND s.object_id = w.object_id
