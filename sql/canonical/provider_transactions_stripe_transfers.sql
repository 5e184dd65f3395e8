-- Stripe Transfers as provider transactions; parent_ref is the payment whose money is sent on. Linked to the payee, by
-- the application's payout, else by metadata; the payer of that payment is somebody else.
WITH paid_out AS (
    SELECT
        t.account,
        t.object_id,
        min(k.user_ref) AS user_ref,
        max(k.user_ref) AS other_user_ref,
        min(k.payout_ref) AS payout_ref
    FROM pg_temp.due_stripe_transfers AS t
    INNER JOIN recon.link_payouts AS k ON t.object_id = k.provider_ref
    GROUP BY t.account, t.object_id
),

linked AS (
    SELECT
        t.*,
        o.payout_ref,
        o.user_ref AS payee_ref,
        o.other_user_ref AS other_payee_ref,
        p.payment_ref AS known_payment_ref,
        u.user_ref AS known_user_ref,
        coalesce(c.payment_intent_id, t.charge_id) AS payment_id,
        CASE
            WHEN o.user_ref <> o.other_user_ref THEN 'ambiguous'
            WHEN o.payout_ref IS NOT NULL THEN 'reference'
            WHEN coalesce(p.payment_ref, u.user_ref) IS NOT NULL THEN 'metadata'
            ELSE 'none'
        END AS link_method,
        CASE
            WHEN t.reversed THEN 'reversed'
            WHEN t.amount_reversed > 0 THEN 'partially_reversed'
            ELSE 'paid'
        END AS raw_status
    FROM pg_temp.due_stripe_transfers AS t
    LEFT JOIN paid_out AS o ON t.account = o.account AND t.object_id = o.object_id
    LEFT JOIN recon.link_payments AS p ON p.provider = 'stripe' AND t.metadata_payment_id = p.payment_ref
    LEFT JOIN recon.link_users AS u ON t.metadata_user_id = u.user_ref
    LEFT JOIN recon.stripe_charges AS c ON t.account = c.account AND t.charge_id = c.object_id
)

SELECT
    s.account,
    s.livemode,
    s.raw_status,
    s.amount,
    s.link_method,
    s.read_at,
    s.vanished_at,
    'stripe' AS provider,
    s.object_id AS provider_ref,
    'transfer' AS kind,
    s.payment_id AS parent_ref,
    coalesce(m.state, 'unknown') AS state,
    upper(s.currency) AS currency,
    cast(NULL AS numeric) AS amount_received,
    cast(NULL AS text) AS received_currency,
    cast(NULL AS numeric) AS expected_amount,
    s.amount_reversed AS amount_refunded,
    FALSE AS disputed,
    cast(NULL AS text) AS customer_ref,
    CASE s.link_method WHEN 'reference' THEN s.payee_ref WHEN 'metadata' THEN s.known_user_ref END AS user_ref,
    CASE WHEN s.link_method <> 'ambiguous' THEN s.known_payment_ref END AS payment_ref,
    CASE
        WHEN s.payout_ref IS NOT NULL
            THEN 'payout=' || s.payout_ref || CASE
                WHEN s.payee_ref <> s.other_payee_ref
                    THEN ' (users ' || s.payee_ref || ' and ' || s.other_payee_ref || ')'
                ELSE ''
            END
        ELSE nullif(
            concat_ws(
                ', ',
                'metadata.payment_id=' || s.metadata_payment_id || CASE
                    WHEN s.known_payment_ref IS NULL THEN ' (unknown)' ELSE ''
                END,
                'metadata.user_id=' || s.metadata_user_id || CASE
                    WHEN s.known_user_ref IS NULL THEN ' (unknown)' ELSE ''
                END
            ),
            ''
        )
    END AS link_evidence,
    cast(NULL AS text) AS deposit_address,
    cast(NULL AS text) AS deposit_tag,
    cast(NULL AS text) AS network,
    cast(NULL AS text) AS tx_hash,
    s.created_at AS provider_created_at,
    s.created_at AS paid_at,
    cast(NULL AS timestamptz) AS capture_before,
    s.created_at AS state_changed_at
FROM linked AS s
LEFT JOIN recon.state_map AS m
    ON m.provider = 'stripe' AND m.resource = 'transfers' AND s.raw_status = m.raw_status
