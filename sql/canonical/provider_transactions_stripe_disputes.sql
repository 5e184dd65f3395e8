-- Stripe Disputes as provider transactions, linked as the payment they are about.
WITH placed AS (
    SELECT
        r.*,
        coalesce(r.payment_intent_id, c.payment_intent_id, r.charge_id) AS payment_id
    FROM pg_temp.due_stripe_disputes AS r
    LEFT JOIN recon.stripe_charges AS c ON r.account = c.account AND r.charge_id = c.object_id
)

SELECT
    s.account,
    s.livemode,
    s.amount,
    s.read_at,
    s.vanished_at,
    'stripe' AS provider,
    s.object_id AS provider_ref,
    'dispute' AS kind,
    s.payment_id AS parent_ref,
    coalesce(m.state, 'unknown') AS state,
    s.status AS raw_status,
    upper(s.currency) AS currency,
    cast(NULL AS numeric) AS amount_received,
    cast(NULL AS text) AS received_currency,
    cast(NULL AS numeric) AS expected_amount,
    0 AS amount_refunded,
    FALSE AS disputed,
    w.customer_ref,
    w.user_ref,
    w.payment_ref,
    coalesce(w.link_method, 'none') AS link_method,
    CASE
        WHEN w.provider_ref IS NULL THEN 'payment ' || s.payment_id || ' is not read yet' ELSE w.link_evidence
    END AS link_evidence,
    cast(NULL AS text) AS deposit_address,
    cast(NULL AS text) AS deposit_tag,
    cast(NULL AS text) AS network,
    cast(NULL AS text) AS tx_hash,
    s.created_at AS provider_created_at,
    cast(NULL AS timestamptz) AS paid_at,
    cast(NULL AS timestamptz) AS capture_before,
    s.created_at AS state_changed_at
FROM placed AS s
LEFT JOIN recon.state_map AS m
    ON m.provider = 'stripe' AND m.resource = 'disputes' AND s.status = m.raw_status
LEFT JOIN recon.provider_transactions AS w
    ON w.provider = 'stripe' AND s.account = w.account AND s.payment_id = w.provider_ref
