-- OKX deposits as provider transactions; writes only rows that differ. Linked where the application's OKX payment
-- names the deposit or its transaction hash; anything softer (address, amount, time) is matching, not linking.
WITH by_reference AS (
    SELECT
        k.key,
        min(k.payment_ref) AS payment_ref,
        min(k.user_ref) AS user_ref,
        count(DISTINCT k.payment_ref) AS payments
    FROM (
        SELECT
            a.provider_ref AS key,
            cast(a.payment_id AS text) AS payment_ref,
            cast(a.user_id AS text) AS user_ref
        FROM recon.app_payments AS a
        WHERE a.provider = 'okx' AND a.provider_ref IS NOT NULL
        UNION
        SELECT
            a.tx_hash AS key,
            cast(a.payment_id AS text) AS payment_ref,
            cast(a.user_id AS text) AS user_ref
        FROM recon.app_payments AS a
        WHERE a.provider = 'okx' AND a.tx_hash IS NOT NULL
    ) AS k
    GROUP BY k.key
),

fresh AS (
    SELECT
        o.account,
        o.object_id AS provider_ref,
        o.livemode,
        o.status AS raw_status,
        o.amount,
        o.address AS deposit_address,
        o.tag AS deposit_tag,
        o.chain AS network,
        o.tx_id AS tx_hash,
        o.created_at AS provider_created_at,
        o.read_at,
        o.vanished_at,
        upper(o.currency) AS currency,
        coalesce(m.state, 'unknown') AS state,
        CASE WHEN m.state = 'paid' THEN o.amount END AS amount_received,
        CASE WHEN m.state = 'paid' THEN o.created_at END AS paid_at,
        CASE WHEN coalesce(d.payments, x.payments) = 1 THEN coalesce(d.user_ref, x.user_ref) END AS user_ref,
        CASE WHEN coalesce(d.payments, x.payments) = 1 THEN coalesce(d.payment_ref, x.payment_ref) END AS payment_ref,
        CASE
            WHEN coalesce(d.payments, x.payments) = 1 THEN 'reference'
            WHEN coalesce(d.payments, x.payments) > 1 THEN 'ambiguous'
            ELSE 'none'
        END AS link_method
    FROM recon.okx_deposits AS o
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'okx' AND m.resource = 'deposits' AND o.status = m.raw_status
    LEFT JOIN by_reference AS d ON o.object_id = d.key
    LEFT JOIN by_reference AS x ON o.tx_id = x.key
)

INSERT INTO recon.provider_transactions AS stored (
    provider, account, provider_ref, kind, livemode, state, raw_status, amount, currency, amount_received,
    received_currency, user_ref, payment_ref, link_method, deposit_address, deposit_tag, network, tx_hash,
    provider_created_at, paid_at, state_changed_at, read_at, vanished_at
)
SELECT
    'okx',
    f.account,
    f.provider_ref,
    'deposit',
    f.livemode,
    f.state,
    f.raw_status,
    f.amount,
    f.currency,
    f.amount_received,
    f.currency AS received_currency,
    f.user_ref,
    f.payment_ref,
    f.link_method,
    f.deposit_address,
    f.deposit_tag,
    f.network,
    f.tx_hash,
    f.provider_created_at,
    f.paid_at,
    f.provider_created_at AS state_changed_at,
    f.read_at,
    f.vanished_at
FROM fresh AS f
LEFT JOIN recon.provider_transactions AS t
    ON t.provider = 'okx' AND f.account = t.account AND f.provider_ref = t.provider_ref
WHERE
    t.provider_ref IS NULL
    OR (
        f.livemode, f.state, f.raw_status, f.amount, f.currency, f.amount_received, f.user_ref, f.payment_ref,
        f.link_method, f.deposit_address, f.deposit_tag, f.network, f.tx_hash, f.provider_created_at, f.paid_at,
        f.vanished_at
    ) IS DISTINCT FROM (
        t.livemode, t.state, t.raw_status, t.amount, t.currency, t.amount_received, t.user_ref, t.payment_ref,
        t.link_method, t.deposit_address, t.deposit_tag, t.network, t.tx_hash, t.provider_created_at, t.paid_at,
        t.vanished_at
    )
ON CONFLICT (provider, account, provider_ref) DO UPDATE SET
    livemode = excluded.livemode,
    state = excluded.state,
    raw_status = excluded.raw_status,
    amount = excluded.amount,
    currency = excluded.currency,
    amount_received = excluded.amount_received,
    received_currency = excluded.received_currency,
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
