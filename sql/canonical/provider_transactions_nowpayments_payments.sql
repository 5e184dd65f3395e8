-- NOWPayments payments as provider transactions. A payment that reads "finished" on less than 98 % of what was to be
-- paid is partially paid, whatever the status says (repeated deposits do, C12), and so is one that expired with money
-- in it. Linked by the application's reference to it, to its parent or to the invoice it pays, else by an order id, its
-- own or its parent's, that names a payment of the application. An invoice that several rows refer to says of none of
-- them that this paid for it.
WITH named AS (
    SELECT
        n.account,
        n.object_id,
        n.object_id AS reference
    FROM pg_temp.due_nowpayments_payments AS n
    UNION ALL
    SELECT
        n.account,
        n.object_id,
        n.parent_id AS reference
    FROM pg_temp.due_nowpayments_payments AS n
    WHERE n.parent_id IS NOT NULL
    UNION ALL
    SELECT
        n.account,
        n.object_id,
        n.invoice_id AS reference
    FROM pg_temp.due_nowpayments_payments AS n
    WHERE n.invoice_id IS NOT NULL
),

by_reference AS (
    SELECT
        n.account,
        n.object_id,
        n.reference,
        min(k.payment_ref) AS payment_ref,
        max(k.payment_ref) AS other_payment_ref,
        min(k.user_ref) AS user_ref,
        max(k.user_ref) AS other_user_ref
    FROM named AS n
    INNER JOIN recon.link_payments AS k ON k.provider = 'nowpayments' AND n.reference = k.provider_ref
    GROUP BY n.account, n.object_id, n.reference
),

claims AS (
    SELECT
        n.*,
        k.payment_ref AS o_payment,
        k.user_ref AS o_user,
        coalesce(m.state, 'unknown') AS mapped_state,
        coalesce(r.reference, p.reference) IS NULL AS is_by_invoice,
        coalesce(r.reference, p.reference, i.reference) AS reference,
        CASE
            WHEN r.reference IS NOT NULL THEN r.payment_ref
            WHEN p.reference IS NOT NULL THEN p.payment_ref
            ELSE i.payment_ref
        END AS r_payment,
        CASE
            WHEN r.reference IS NOT NULL THEN r.user_ref
            WHEN p.reference IS NOT NULL THEN p.user_ref
            ELSE i.user_ref
        END AS r_user,
        CASE
            WHEN r.reference IS NOT NULL THEN r.other_user_ref
            WHEN p.reference IS NOT NULL THEN p.other_user_ref
            ELSE i.other_user_ref
        END AS r_other,
        CASE WHEN coalesce(r.reference, p.reference) IS NULL THEN i.other_payment_ref END AS i_other,
        coalesce(n.order_id, a.order_id) AS effective_order_id
    FROM pg_temp.due_nowpayments_payments AS n
    LEFT JOIN recon.state_map AS m
        ON m.provider = 'nowpayments' AND m.resource = 'payments' AND n.status = m.raw_status
    LEFT JOIN by_reference AS r ON n.account = r.account AND n.object_id = r.object_id AND n.object_id = r.reference
    LEFT JOIN by_reference AS p ON n.account = p.account AND n.object_id = p.object_id AND n.parent_id = p.reference
    LEFT JOIN by_reference AS i ON n.account = i.account AND n.object_id = i.object_id AND n.invoice_id = i.reference
    LEFT JOIN recon.nowpayments_payments AS a ON n.account = a.account AND n.parent_id = a.object_id
    LEFT JOIN recon.link_payments AS k
        ON k.provider = 'nowpayments' AND coalesce(n.order_id, a.order_id) = k.payment_ref
),

judged AS (
    SELECT
        c.*,
        CASE
            WHEN c.mapped_state = 'paid' AND c.actually_paid < c.pay_amount * 0.98 THEN 'partially_paid'
            WHEN c.mapped_state = 'expired' AND c.actually_paid > c.pay_amount * 0.02 THEN 'partially_paid'
            ELSE c.mapped_state
        END AS state,
        CASE
            WHEN c.r_user <> c.r_other OR c.r_payment <> c.i_other THEN 'ambiguous'
            -- An invoice may be paid in several tries, each an object of its own.
            WHEN c.reference IS NOT NULL AND c.is_by_invoice THEN 'checkout'
            WHEN c.reference IS NOT NULL THEN 'reference'
            WHEN c.o_payment IS NOT NULL THEN 'metadata'
            ELSE 'none'
        END AS link_method,
        'order_id=' || c.effective_order_id || CASE
            WHEN c.o_payment IS NULL THEN ' (unknown)'
            WHEN c.reference IS NOT NULL THEN coalesce(' (user ' || c.o_user || ')', '')
            ELSE ''
        END AS o_words,
        CASE WHEN c.is_by_invoice THEN 'invoice=' ELSE 'reference=' END AS reference_word,
        CASE
            WHEN c.r_user <> c.r_other THEN ' (users ' || c.r_user || ' and ' || c.r_other || ')'
            ELSE ' (payments ' || c.r_payment || ' and ' || c.i_other || ')'
        END AS several,
        coalesce(c.updated_at, c.created_at) AS state_changed_at
    FROM claims AS c
)

SELECT
    s.account,
    s.livemode,
    s.state,
    s.link_method,
    s.network,
    s.state_changed_at,
    s.read_at,
    s.vanished_at,
    'nowpayments' AS provider,
    s.object_id AS provider_ref,
    'payment' AS kind,
    s.parent_id AS parent_ref,
    s.status AS raw_status,
    s.price_amount AS amount,
    upper(s.price_currency) AS currency,
    s.actually_paid AS amount_received,
    upper(s.pay_currency) AS received_currency,
    s.pay_amount AS expected_amount,
    CASE WHEN s.mapped_state = 'refunded' THEN s.price_amount ELSE 0 END AS amount_refunded,
    FALSE AS disputed,
    cast(NULL AS text) AS customer_ref,
    CASE
        WHEN s.link_method IN ('reference', 'checkout') THEN s.r_user
        WHEN s.link_method = 'metadata' THEN s.o_user
    END AS user_ref,
    CASE
        WHEN s.link_method IN ('reference', 'checkout') THEN s.r_payment
        WHEN s.link_method = 'metadata' THEN s.o_payment
    END AS payment_ref,
    CASE
        WHEN s.link_method = 'ambiguous'
            THEN concat_ws('; ', s.reference_word || s.reference || s.several, s.o_words)
        WHEN s.reference IS NULL THEN s.o_words
        WHEN s.o_user <> s.r_user
            THEN concat_ws('; ', s.reference_word || s.reference || ' (user ' || s.r_user || ')', s.o_words)
        ELSE s.reference_word || s.reference
    END AS link_evidence,
    s.pay_address AS deposit_address,
    s.payin_extra_id AS deposit_tag,
    recon.plain_reference(s.payin_hash) AS tx_hash,
    s.created_at AS provider_created_at,
    CASE WHEN s.state = 'paid' THEN s.state_changed_at END AS paid_at,
    cast(NULL AS timestamptz) AS capture_before
FROM judged AS s
