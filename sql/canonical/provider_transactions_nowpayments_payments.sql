-- NOWPayments payments as provider transactions; writes only rows that differ. A payment that reads "finished" on
-- less than 98 % of what was to be paid is partially paid, whatever the status says (repeated deposits do, C12).
-- Linked by the application's reference to it or to its parent, else by an order id that names a NOWPayments payment
-- of the application.
WITH by_reference AS (
    SELECT
        a.provider_ref,
        min(cast(a.payment_id AS text)) AS payment_ref,
        min(cast(a.user_id AS text)) AS user_ref,
        count(DISTINCT a.user_id) AS users
    FROM recon.app_payments AS a
    WHERE a.provider = 'nowpayments' AND a.provider_ref IS NOT NULL
    GROUP BY a.provider_ref
),

by_order AS (
    SELECT
        n.account,
        n.object_id,
        cast(a.payment_id AS text) AS payment_ref,
        cast(a.user_id AS text) AS user_ref
    FROM recon.nowpayments_payments AS n
    INNER JOIN recon.app_payments AS a ON cast(a.payment_id AS text) = n.order_id AND a.provider = 'nowpayments'
),

fresh AS (
    SELECT
        n.account,
        n.object_id AS provider_ref,
        n.parent_id AS parent_ref,
        n.livemode,
        n.status AS raw_status,
        n.price_amount AS amount,
        n.actually_paid AS amount_received,
        n.pay_amount AS expected_amount,
        n.pay_address AS deposit_address,
        n.payin_extra_id AS deposit_tag,
        n.network,
        n.payin_hash AS tx_hash,
        n.created_at AS provider_created_at,
        n.read_at,
        n.vanished_at,
        upper(n.price_currency) AS currency,
        upper(n.pay_currency) AS received_currency,
        CASE WHEN m.state = 'refunded' THEN n.price_amount ELSE 0 END AS amount_refunded,
        CASE
            WHEN m.state = 'paid' AND n.actually_paid < n.pay_amount * 0.98 THEN 'partially_paid'
            ELSE coalesce(m.state, 'unknown')
        END AS state,
        coalesce(n.updated_at, n.created_at) AS state_changed_at,
        CASE
            WHEN coalesce(r.users, p.users) > 1 THEN NULL
            WHEN coalesce(r.provider_ref, p.provider_ref) IS NOT NULL THEN coalesce(r.user_ref, p.user_ref)
            ELSE o.user_ref
        END AS user_ref,
        CASE
            WHEN coalesce(r.users, p.users) > 1 THEN NULL
            WHEN coalesce(r.provider_ref, p.provider_ref) IS NOT NULL THEN coalesce(r.payment_ref, p.payment_ref)
            ELSE o.payment_ref
        END AS payment_ref,
        CASE
            WHEN coalesce(r.users, p.users) > 1 THEN 'ambiguous'
            WHEN coalesce(r.provider_ref, p.provider_ref) IS NOT NULL THEN 'reference'
            WHEN o.payment_ref IS NOT NULL THEN 'metadata'
            ELSE 'none'
        END AS link_method
    FROM recon.nowpayments_payments AS n
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'nowpayments' AND m.resource = 'payments' AND n.status = m.raw_status
    LEFT JOIN by_reference AS r ON n.object_id = r.provider_ref
    LEFT JOIN by_reference AS p ON n.parent_id = p.provider_ref
    LEFT JOIN by_order AS o ON n.account = o.account AND n.object_id = o.object_id
),

timed AS (
    SELECT
        f.*,
        CASE WHEN f.state = 'paid' THEN f.state_changed_at END AS paid_at
    FROM fresh AS f
)

INSERT INTO recon.provider_transactions AS stored (
    provider, account, provider_ref, kind, parent_ref, livemode, state, raw_status, amount, currency, amount_received,
    received_currency, expected_amount, amount_refunded, user_ref, payment_ref, link_method, deposit_address,
    deposit_tag, network, tx_hash, provider_created_at, paid_at, state_changed_at, read_at, vanished_at
)
SELECT
    'nowpayments',
    f.account,
    f.provider_ref,
    'payment',
    f.parent_ref,
    f.livemode,
    f.state,
    f.raw_status,
    f.amount,
    f.currency,
    f.amount_received,
    f.received_currency,
    f.expected_amount,
    f.amount_refunded,
    f.user_ref,
    f.payment_ref,
    f.link_method,
    f.deposit_address,
    f.deposit_tag,
    f.network,
    f.tx_hash,
    f.provider_created_at,
    f.paid_at,
    f.state_changed_at,
    f.read_at,
    f.vanished_at
FROM timed AS f
LEFT JOIN recon.provider_transactions AS t
    ON t.provider = 'nowpayments' AND f.account = t.account AND f.provider_ref = t.provider_ref
WHERE
    t.provider_ref IS NULL
    OR (
        f.parent_ref, f.livemode, f.state, f.raw_status, f.amount, f.currency, f.amount_received, f.received_currency,
        f.expected_amount, f.amount_refunded, f.user_ref, f.payment_ref, f.link_method, f.deposit_address,
        f.deposit_tag, f.network, f.tx_hash, f.provider_created_at, f.paid_at, f.state_changed_at, f.vanished_at
    ) IS DISTINCT FROM (
        t.parent_ref, t.livemode, t.state, t.raw_status, t.amount, t.currency, t.amount_received, t.received_currency,
        t.expected_amount, t.amount_refunded, t.user_ref, t.payment_ref, t.link_method, t.deposit_address,
        t.deposit_tag, t.network, t.tx_hash, t.provider_created_at, t.paid_at, t.state_changed_at, t.vanished_at
    )
ON CONFLICT (provider, account, provider_ref) DO UPDATE SET
    parent_ref = excluded.parent_ref,
    livemode = excluded.livemode,
    state = excluded.state,
    raw_status = excluded.raw_status,
    amount = excluded.amount,
    currency = excluded.currency,
    amount_received = excluded.amount_received,
    received_currency = excluded.received_currency,
    expected_amount = excluded.expected_amount,
    amount_refunded = excluded.amount_refunded,
    user_ref = excluded.user_ref,
    payment_ref = excluded.payment_ref,
    link_method = excluded.link_method,
    deposit_address = excluded.deposit_address,
    deposit_tag = excluded.deposit_tag,
    network = excluded.network,
    tx_hash = excluded.tx_hash,
    provider_created_at = excluded.provider_created_at,
    paid_at = excluded.paid_at,
    state_changed_at = excluded.state_changed_at,
    read_at = excluded.read_at,
    vanished_at = excluded.vanished_at;
