-- OKX deposits as provider transactions. Linked where exactly one OKX payment of the application names the deposit or
-- its transaction hash; anything softer (address, amount, time) is matching, not linking.
WITH named AS (
    SELECT
        o.account,
        o.object_id,
        o.object_id AS key
    FROM pg_temp.due_okx_deposits AS o
    UNION ALL
    SELECT
        o.account,
        o.object_id,
        recon.plain_reference(o.tx_id) AS key
    FROM pg_temp.due_okx_deposits AS o
    WHERE o.tx_id IS NOT NULL
),

claims AS (
    SELECT
        n.account,
        n.object_id,
        n.key,
        k.payment_ref,
        k.user_ref
    FROM named AS n
    INNER JOIN recon.link_payments AS k ON k.provider = 'okx' AND n.key = k.provider_ref
    UNION ALL
    SELECT
        n.account,
        n.object_id,
        n.key,
        k.payment_ref,
        k.user_ref
    FROM named AS n
    INNER JOIN recon.link_payments AS k ON k.provider = 'okx' AND n.key = k.tx_hash
),

claimed AS (
    SELECT
        c.account,
        c.object_id,
        min(c.key) AS key,
        min(c.payment_ref) AS payment_ref,
        max(c.payment_ref) AS other_payment_ref,
        min(c.user_ref) AS user_ref
    FROM claims AS c
    GROUP BY c.account, c.object_id
)

SELECT
    s.account,
    s.livemode,
    s.amount,
    s.read_at,
    s.vanished_at,
    'okx' AS provider,
    s.object_id AS provider_ref,
    'deposit' AS kind,
    cast(NULL AS text) AS parent_ref,
    coalesce(m.state, 'unknown') AS state,
    s.status AS raw_status,
    upper(s.currency) AS currency,
    CASE WHEN m.state = 'paid' THEN s.amount END AS amount_received,
    upper(s.currency) AS received_currency,
    cast(NULL AS numeric) AS expected_amount,
    0 AS amount_refunded,
    FALSE AS disputed,
    cast(NULL AS text) AS customer_ref,
    CASE WHEN c.payment_ref = c.other_payment_ref THEN c.user_ref END AS user_ref,
    CASE WHEN c.payment_ref = c.other_payment_ref THEN c.payment_ref END AS payment_ref,
    CASE
        WHEN c.payment_ref = c.other_payment_ref THEN 'reference'
        WHEN c.payment_ref IS NOT NULL THEN 'ambiguous'
        ELSE 'none'
    END AS link_method,
    CASE WHEN c.key = s.object_id THEN 'reference=' ELSE 'tx_hash=' END || c.key || CASE
        WHEN c.payment_ref <> c.other_payment_ref
            THEN ' (payments ' || c.payment_ref || ' and ' || c.other_payment_ref || ')'
        ELSE ''
    END AS link_evidence,
    s.address AS deposit_address,
    s.tag AS deposit_tag,
    s.chain AS network,
    recon.plain_reference(s.tx_id) AS tx_hash,
    s.created_at AS provider_created_at,
    CASE WHEN m.state = 'paid' THEN s.created_at END AS paid_at,
    cast(NULL AS timestamptz) AS capture_before,
    s.created_at AS state_changed_at
FROM pg_temp.due_okx_deposits AS s
LEFT JOIN recon.state_map AS m
    ON m.provider = 'okx' AND m.resource = 'deposits' AND s.status = m.raw_status
LEFT JOIN claimed AS c ON s.account = c.account AND s.object_id = c.object_id
