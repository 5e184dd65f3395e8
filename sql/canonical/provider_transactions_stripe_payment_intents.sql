-- Stripe PaymentIntents as provider transactions; writes only rows that differ from what is stored.
-- Returned is the greater of the charge's own figure and of the refunds we know, for either may have been read before
-- the other changed. A refund that failed counts nowhere: it is taken back out of a charge that was read before it
-- was known to have failed. Linked by the application's reference, else by metadata
-- that fits (same provider, no other user), else by a customer id that exactly one user has; two users: never (E13).
WITH returned AS (
    SELECT
        r.account,
        r.payment_intent_id,
        coalesce(sum(CASE WHEN r.status NOT IN ('failed', 'canceled') THEN r.amount END), 0) AS amount,
        sum(CASE WHEN r.status IN ('failed', 'canceled') AND p.read_at < r.read_at THEN r.amount END) AS failed_since,
        max(CASE WHEN r.status NOT IN ('failed', 'canceled') THEN r.created_at END) AS last_at
    FROM recon.stripe_refunds AS r
    INNER JOIN recon.stripe_payment_intents AS p
        ON r.account = p.account AND r.payment_intent_id = p.object_id
    WHERE r.payment_intent_id IS NOT NULL AND r.vanished_at IS NULL
    GROUP BY r.account, r.payment_intent_id
),

by_reference AS (
    SELECT
        a.provider_ref,
        min(cast(a.payment_id AS text)) AS payment_ref,
        min(cast(a.user_id AS text)) AS user_ref,
        count(DISTINCT a.user_id) AS users
    FROM recon.app_payments AS a
    WHERE a.provider = 'stripe' AND a.provider_ref IS NOT NULL
    GROUP BY a.provider_ref
),

by_metadata AS (
    SELECT
        p.account,
        p.object_id,
        cast(a.payment_id AS text) AS payment_ref,
        cast(a.user_id AS text) AS user_ref
    FROM recon.stripe_payment_intents AS p
    INNER JOIN recon.app_payments AS a
        ON cast(a.payment_id AS text) = p.metadata_payment_id AND a.provider = 'stripe'
    WHERE p.metadata_user_id IS NULL OR p.metadata_user_id = cast(a.user_id AS text)
),

by_customer AS (
    SELECT
        u.stripe_customer_id,
        min(cast(u.user_id AS text)) AS user_ref,
        count(*) AS users
    FROM recon.app_users AS u
    WHERE u.stripe_customer_id IS NOT NULL
    GROUP BY u.stripe_customer_id
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
        coalesce(p.charge_refunded, FALSE)
        AND NOT coalesce(p.charge_amount_refunded <= f.amount + f.failed_since, FALSE) AS charge_says_refunded
    FROM recon.stripe_payment_intents AS p
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'stripe' AND m.resource = 'payment_intents' AND p.status = m.raw_status
    LEFT JOIN returned AS f ON p.account = f.account AND p.object_id = f.payment_intent_id
),

fresh AS (
    SELECT
        s.account,
        s.object_id AS provider_ref,
        s.livemode,
        s.status AS raw_status,
        s.amount,
        s.amount_received,
        s.amount_refunded,
        s.customer_id AS customer_ref,
        s.created_at AS provider_created_at,
        s.capture_before,
        s.read_at,
        s.vanished_at,
        coalesce(s.charge_disputed, FALSE) AS disputed,
        upper(s.currency) AS currency,
        CASE
            WHEN
                s.mapped_state = 'paid'
                AND (s.charge_says_refunded OR (s.amount_received > 0 AND s.amount_refunded >= s.amount_received))
                THEN 'refunded'
            ELSE s.mapped_state
        END AS state,
        CASE WHEN s.mapped_state IN ('paid', 'refunded') THEN coalesce(s.charge_created_at, s.created_at) END
            AS paid_at,
        greatest(s.created_at, s.charge_created_at, s.canceled_at, s.last_refund_at) AS state_changed_at,
        CASE
            WHEN r.users > 1 THEN NULL
            WHEN r.provider_ref IS NOT NULL THEN r.user_ref
            WHEN d.payment_ref IS NOT NULL THEN d.user_ref
            WHEN c.users = 1 THEN c.user_ref
        END AS user_ref,
        CASE
            WHEN r.users > 1 THEN NULL
            WHEN r.provider_ref IS NOT NULL THEN r.payment_ref
            ELSE d.payment_ref
        END AS payment_ref,
        CASE
            WHEN r.users > 1 THEN 'ambiguous'
            WHEN r.provider_ref IS NOT NULL THEN 'reference'
            WHEN d.payment_ref IS NOT NULL THEN 'metadata'
            WHEN c.users > 1 THEN 'ambiguous'
            WHEN c.users = 1 THEN 'customer'
            ELSE 'none'
        END AS link_method
    FROM read_so_far AS s
    LEFT JOIN by_reference AS r ON s.object_id = r.provider_ref
    LEFT JOIN by_metadata AS d ON s.account = d.account AND s.object_id = d.object_id
    LEFT JOIN by_customer AS c ON s.customer_id = c.stripe_customer_id
)

INSERT INTO recon.provider_transactions AS stored (
    provider, account, provider_ref, kind, livemode, state, raw_status, amount, currency, amount_received,
    received_currency, amount_refunded, disputed, customer_ref, user_ref, payment_ref, link_method, provider_created_at,
    paid_at, capture_before, state_changed_at, read_at, vanished_at
)
SELECT
    'stripe',
    f.account,
    f.provider_ref,
    'payment',
    f.livemode,
    f.state,
    f.raw_status,
    f.amount,
    f.currency,
    f.amount_received,
    f.currency AS received_currency,
    f.amount_refunded,
    f.disputed,
    f.customer_ref,
    f.user_ref,
    f.payment_ref,
    f.link_method,
    f.provider_created_at,
    f.paid_at,
    f.capture_before,
    f.state_changed_at,
    f.read_at,
    f.vanished_at
FROM fresh AS f
LEFT JOIN recon.provider_transactions AS t
    ON t.provider = 'stripe' AND f.account = t.account AND f.provider_ref = t.provider_ref
WHERE
    t.provider_ref IS NULL
    OR (
        f.livemode, f.state, f.raw_status, f.amount, f.currency, f.amount_received, f.amount_refunded, f.customer_ref,
        f.user_ref, f.payment_ref, f.link_method, f.provider_created_at, f.paid_at, f.capture_before,
        f.state_changed_at, f.disputed, f.vanished_at
    ) IS DISTINCT FROM (
        t.livemode, t.state, t.raw_status, t.amount, t.currency, t.amount_received, t.amount_refunded, t.customer_ref,
        t.user_ref, t.payment_ref, t.link_method, t.provider_created_at, t.paid_at, t.capture_before,
        t.state_changed_at, t.disputed, t.vanished_at
    )
ON CONFLICT (provider, account, provider_ref) DO UPDATE SET
    livemode = excluded.livemode,
    state = excluded.state,
    raw_status = excluded.raw_status,
    amount = excluded.amount,
    currency = excluded.currency,
    amount_received = excluded.amount_received,
    received_currency = excluded.received_currency,
    amount_refunded = excluded.amount_refunded,
    disputed = excluded.disputed,
    customer_ref = excluded.customer_ref,
    user_ref = excluded.user_ref,
    payment_ref = excluded.payment_ref,
    link_method = excluded.link_method,
    provider_created_at = excluded.provider_created_at,
    paid_at = excluded.paid_at,
    capture_before = excluded.capture_before,
    state_changed_at = excluded.state_changed_at,
    read_at = excluded.read_at,
    vanished_at = excluded.vanished_at;
