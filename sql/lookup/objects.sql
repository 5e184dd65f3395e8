-- What the providers hold: the objects named, those of these customers, the deposits that were matched with, or name,
-- these payments; and the refunds and disputes of all of them.
WITH accounts AS (
    SELECT DISTINCT k.account
    FROM recon.known_accounts AS k
    WHERE k.provider = 'stripe'
),

named AS (
    SELECT
        t.provider,
        t.account,
        t.provider_ref
    FROM recon.provider_transactions AS t
    WHERE t.provider_ref = any(:refs) AND t.provider IN ('stripe', 'nowpayments', 'okx')
    UNION
    SELECT
        'stripe' AS provider,
        i.account,
        i.object_id AS provider_ref
    FROM recon.stripe_payment_intents AS i
    INNER JOIN accounts AS a ON i.account = a.account
    WHERE i.customer_id = any(:customers)
    UNION
    SELECT
        'stripe' AS provider,
        s.account,
        s.payment_intent_id AS provider_ref
    FROM recon.stripe_checkout_sessions AS s
    WHERE s.object_id = any(:refs) AND s.payment_intent_id IS NOT NULL
    UNION
    SELECT
        'stripe' AS provider,
        c.account,
        c.payment_intent_id AS provider_ref
    FROM recon.stripe_charges AS c
    WHERE c.object_id = any(:refs) AND c.payment_intent_id IS NOT NULL
    UNION
    SELECT
        m.provider,
        m.account,
        m.provider_ref
    FROM recon.deposit_matches AS m
    WHERE m.state = 'matched' AND m.payment_ref = any(:payments)
    UNION
    SELECT
        t.provider,
        t.account,
        t.provider_ref
    FROM recon.provider_transactions AS t
    WHERE t.link_method IN ('metadata', 'checkout') AND t.payment_ref = any(:payments)
    UNION
    SELECT
        t.provider,
        t.account,
        t.provider_ref
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'deposit'
        AND t.tx_hash = any(array(SELECT recon.plain_reference(h) FROM unnest(cast(:tx_hashes AS text[])) AS h))
),

family AS (
    SELECT
        n.provider,
        n.account,
        n.provider_ref
    FROM named AS n
    UNION
    SELECT
        t.provider,
        t.account,
        t.provider_ref
    FROM named AS n
    INNER JOIN recon.provider_transactions AS t
        ON n.provider = t.provider AND n.account = t.account AND n.provider_ref = t.parent_ref
    WHERE t.parent_ref IS NOT NULL
)

SELECT
    t.provider,
    t.account,
    t.provider_ref,
    t.kind,
    t.parent_ref,
    t.livemode,
    t.state,
    t.raw_status,
    t.amount,
    t.currency,
    t.amount_received,
    t.received_currency,
    t.amount_refunded,
    t.user_ref,
    t.payment_ref,
    t.link_method,
    t.link_evidence,
    t.tx_hash,
    t.provider_created_at,
    t.paid_at,
    t.capture_before,
    t.state_changed_at,
    t.read_at,
    t.vanished_at,
    d.state AS match,
    d.reason AS match_reason,
    d.payment_ref AS matched_payment
FROM family AS f
INNER JOIN recon.provider_transactions AS t
    ON f.provider = t.provider AND f.account = t.account AND f.provider_ref = t.provider_ref
LEFT JOIN recon.deposit_matches AS d
    ON t.provider = d.provider AND t.account = d.account AND t.provider_ref = d.provider_ref
ORDER BY t.provider_created_at, t.provider_ref;
