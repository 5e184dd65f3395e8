-- Stripe Payouts, from the account to its own bank, as provider transactions: nobody's, unless a payout of the
-- application names one.
WITH paid_out AS (
    SELECT
        t.account,
        t.object_id,
        min(k.user_ref) AS user_ref,
        max(k.user_ref) AS other_user_ref,
        min(k.payout_ref) AS payout_ref
    FROM pg_temp.due_stripe_payouts AS t
    INNER JOIN recon.link_payouts AS k ON t.object_id = k.provider_ref
    GROUP BY t.account, t.object_id
)

SELECT
    s.account,
    s.livemode,
    s.amount,
    s.read_at,
    s.vanished_at,
    'stripe' AS provider,
    s.object_id AS provider_ref,
    'payout' AS kind,
    cast(NULL AS text) AS parent_ref,
    coalesce(m.state, 'unknown') AS state,
    s.status AS raw_status,
    upper(s.currency) AS currency,
    cast(NULL AS numeric) AS amount_received,
    cast(NULL AS text) AS received_currency,
    cast(NULL AS numeric) AS expected_amount,
    0 AS amount_refunded,
    FALSE AS disputed,
    cast(NULL AS text) AS customer_ref,
    CASE WHEN o.user_ref = o.other_user_ref THEN o.user_ref END AS user_ref,
    cast(NULL AS text) AS payment_ref,
    CASE
        WHEN o.user_ref <> o.other_user_ref THEN 'ambiguous'
        WHEN o.payout_ref IS NOT NULL THEN 'reference'
        ELSE 'none'
    END AS link_method,
    'payout=' || o.payout_ref || CASE
        WHEN o.user_ref <> o.other_user_ref THEN ' (users ' || o.user_ref || ' and ' || o.other_user_ref || ')'
        ELSE ''
    END AS link_evidence,
    cast(NULL AS text) AS deposit_address,
    cast(NULL AS text) AS deposit_tag,
    cast(NULL AS text) AS network,
    cast(NULL AS text) AS tx_hash,
    s.created_at AS provider_created_at,
    CASE WHEN m.state = 'paid' THEN s.arrival_at END AS paid_at,
    cast(NULL AS timestamptz) AS capture_before,
    s.created_at AS state_changed_at
FROM pg_temp.due_stripe_payouts AS s
LEFT JOIN recon.state_map AS m
    ON m.provider = 'stripe' AND m.resource = 'payouts' AND s.status = m.raw_status
LEFT JOIN paid_out AS o ON s.account = o.account AND s.object_id = o.object_id
