-- Stripe Charges that have no intent (older integrations, direct charges) as provider transactions: such a charge is
-- the payment itself, and what was returned of it goes by the rule of intents. A charge of an intent is no row of its
-- own: the intent carries it.
WITH returned AS (
    SELECT
        r.account,
        r.charge_id,
        coalesce(sum(CASE WHEN r.status NOT IN ('failed', 'canceled') THEN r.amount END), 0) AS amount,
        sum(CASE WHEN r.status IN ('failed', 'canceled') AND c.read_at < r.read_at THEN r.amount END) AS failed_since,
        max(CASE WHEN r.status NOT IN ('failed', 'canceled') THEN r.created_at END) AS last_at,
        bool_or(r.status NOT IN ('failed', 'canceled') AND r.amount = c.amount - c.amount_captured) AS has_rest
    FROM pg_temp.due_stripe_charges AS c
    INNER JOIN recon.stripe_refunds AS r ON c.account = r.account AND c.object_id = r.charge_id
    WHERE c.payment_intent_id IS NULL AND r.vanished_at IS NULL
    GROUP BY r.account, r.charge_id
),

read_so_far AS (
    SELECT
        c.*,
        f.last_at AS last_refund_at,
        coalesce(m.state, 'unknown') AS mapped_state,
        coalesce(c.amount_captured, c.amount) AS amount_paid,
        greatest(
            f.amount,
            CASE
                WHEN c.amount_refunded <= f.amount + f.failed_since
                    THEN c.amount_refunded - f.failed_since
                ELSE c.amount_refunded
            END,
            0
        ) AS amount_returned,
        CASE
            WHEN
                c.amount_captured > 0
                AND c.amount_captured < c.amount
                AND (
                    c.amount_refunded > c.amount_captured
                    OR (c.amount_refunded = c.amount_captured AND NOT c.refunded AND f.has_rest)
                )
                THEN c.amount - c.amount_captured
            ELSE 0
        END AS let_go,
        c.refunded AND NOT coalesce(c.amount_refunded <= f.amount + f.failed_since, FALSE) AS charge_says_refunded
    FROM pg_temp.due_stripe_charges AS c
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'stripe' AND m.resource = 'charges' AND c.capture_state = m.raw_status
    LEFT JOIN returned AS f ON c.account = f.account AND c.object_id = f.charge_id
    WHERE c.payment_intent_id IS NULL
)

SELECT
    s.account,
    s.livemode,
    s.amount,
    s.disputed,
    s.capture_before,
    s.read_at,
    s.vanished_at,
    'stripe' AS provider,
    s.object_id AS provider_ref,
    'payment' AS kind,
    cast(NULL AS text) AS parent_ref,
    CASE
        WHEN
            s.mapped_state = 'paid'
            AND (s.charge_says_refunded OR (s.amount_paid > 0 AND s.amount_returned - s.let_go >= s.amount_paid))
            THEN 'refunded'
        ELSE s.mapped_state
    END AS state,
    s.capture_state AS raw_status,
    upper(s.currency) AS currency,
    CASE WHEN s.mapped_state = 'paid' THEN s.amount_paid ELSE 0 END AS amount_received,
    upper(s.currency) AS received_currency,
    cast(NULL AS numeric) AS expected_amount,
    greatest(s.amount_returned - s.let_go, 0) AS amount_refunded,
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
    CASE WHEN s.mapped_state = 'paid' THEN s.created_at END AS paid_at,
    greatest(s.created_at, s.last_refund_at) AS state_changed_at
FROM read_so_far AS s
INNER JOIN pg_temp.stripe_links AS w ON s.account = w.account AND s.object_id = w.object_id
