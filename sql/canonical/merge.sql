-- Provider transactions as a source gives them; writes only rows that differ from what is stored.
-- noqa: disable=all
INSERT INTO recon.provider_transactions AS stored (
    provider, account, provider_ref, kind, parent_ref, livemode, state, raw_status, amount, currency, amount_received,
    received_currency, expected_amount, amount_refunded, disputed, customer_ref, user_ref, payment_ref, link_method,
    link_evidence, deposit_address, deposit_tag, network, tx_hash, provider_created_at, paid_at, capture_before,
    state_changed_at, read_at, vanished_at
)
SELECT
    f.provider, f.account, f.provider_ref, f.kind, f.parent_ref, f.livemode, f.state, f.raw_status, f.amount,
    f.currency, f.amount_received, f.received_currency, f.expected_amount, f.amount_refunded, f.disputed,
    f.customer_ref, f.user_ref, f.payment_ref, f.link_method, f.link_evidence, f.deposit_address, f.deposit_tag,
    f.network, f.tx_hash, f.provider_created_at, f.paid_at, f.capture_before, f.state_changed_at, f.read_at,
    f.vanished_at
FROM ({fresh}) AS f
LEFT JOIN recon.provider_transactions AS t
    ON f.provider = t.provider AND f.account = t.account AND f.provider_ref = t.provider_ref
WHERE
    t.provider_ref IS NULL
    OR (
        f.parent_ref, f.livemode, f.state, f.raw_status, f.amount, f.currency, f.amount_received, f.received_currency,
        f.expected_amount, f.amount_refunded, f.disputed, f.customer_ref, f.user_ref, f.payment_ref, f.link_method,
        f.link_evidence, f.deposit_address, f.deposit_tag, f.network, f.tx_hash, f.provider_created_at, f.paid_at,
        f.capture_before, f.state_changed_at, f.vanished_at
    ) IS DISTINCT FROM (
        t.parent_ref, t.livemode, t.state, t.raw_status, t.amount, t.currency, t.amount_received, t.received_currency,
        t.expected_amount, t.amount_refunded, t.disputed, t.customer_ref, t.user_ref, t.payment_ref, t.link_method,
        t.link_evidence, t.deposit_address, t.deposit_tag, t.network, t.tx_hash, t.provider_created_at, t.paid_at,
        t.capture_before, t.state_changed_at, t.vanished_at
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
    disputed = excluded.disputed,
    customer_ref = excluded.customer_ref,
    user_ref = excluded.user_ref,
    payment_ref = excluded.payment_ref,
    link_method = excluded.link_method,
    link_evidence = excluded.link_evidence,
    deposit_address = excluded.deposit_address,
    deposit_tag = excluded.deposit_tag,
    network = excluded.network,
    tx_hash = excluded.tx_hash,
    provider_created_at = excluded.provider_created_at,
    paid_at = excluded.paid_at,
    capture_before = excluded.capture_before,
    state_changed_at = excluded.state_changed_at,
    read_at = excluded.read_at,
    vanished_at = excluded.vanished_at
