-- Stripe Refunds as provider transactions, linked as the payment they return; writes only rows that differ.
WITH fresh AS (
    SELECT
        r.account,
        r.object_id AS provider_ref,
        r.livemode,
        r.status AS raw_status,
        r.amount,
        r.created_at,
        r.read_at,
        r.vanished_at,
        p.customer_ref,
        p.user_ref,
        p.payment_ref,
        upper(r.currency) AS currency,
        coalesce(r.payment_intent_id, r.charge_id) AS parent_ref,
        coalesce(m.state, 'unknown') AS state,
        coalesce(p.link_method, 'none') AS link_method
    FROM recon.stripe_refunds AS r
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'stripe' AND m.resource = 'refunds' AND r.status = m.raw_status
    LEFT JOIN recon.provider_transactions AS p
        ON p.provider = 'stripe' AND r.account = p.account AND r.payment_intent_id = p.provider_ref
)

INSERT INTO recon.provider_transactions AS stored (
    provider, account, provider_ref, kind, parent_ref, livemode, state, raw_status, amount, currency, customer_ref,
    user_ref, payment_ref, link_method, provider_created_at, state_changed_at, read_at, vanished_at
)
SELECT
    'stripe',
    f.account,
    f.provider_ref,
    'refund',
    f.parent_ref,
    f.livemode,
    f.state,
    f.raw_status,
    f.amount,
    f.currency,
    f.customer_ref,
    f.user_ref,
    f.payment_ref,
    f.link_method,
    f.created_at AS provider_created_at,
    f.created_at AS state_changed_at,
    f.read_at,
    f.vanished_at
FROM fresh AS f
LEFT JOIN recon.provider_transactions AS t
    ON t.provider = 'stripe' AND f.account = t.account AND f.provider_ref = t.provider_ref
WHERE
    t.provider_ref IS NULL
    OR (
        f.parent_ref, f.livemode, f.state, f.raw_status, f.amount, f.currency, f.customer_ref, f.user_ref,
        f.payment_ref, f.link_method, f.created_at, f.vanished_at
    ) IS DISTINCT FROM (
        t.parent_ref, t.livemode, t.state, t.raw_status, t.amount, t.currency, t.customer_ref, t.user_ref,
        t.payment_ref, t.link_method, t.provider_created_at, t.vanished_at
    )
ON CONFLICT (provider, account, provider_ref) DO UPDATE SET
    parent_ref = excluded.parent_ref,
    livemode = excluded.livemode,
    state = excluded.state,
    raw_status = excluded.raw_status,
    amount = excluded.amount,
    currency = excluded.currency,
    customer_ref = excluded.customer_ref,
    user_ref = excluded.user_ref,
    payment_ref = excluded.payment_ref,
    link_method = excluded.link_method,
    provider_created_at = excluded.provider_created_at,
    state_changed_at = excluded.state_changed_at,
    read_at = excluded.read_at,
    vanished_at = excluded.vanished_at;
