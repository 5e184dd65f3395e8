-- What checkouts, and invoices that the application refers to, say of their payments: by the application's reference
-- to the session, by its metadata, and by client_reference_id, which can be a user's or a payment's id
-- (:client_reference: user, payment or either). Of several claims first and last are kept: when they differ, nobody
-- knows.
INSERT INTO pg_temp.checkout_claims (
    account, object_id, session_id, app, reference, payment_ref, other_payment_ref, user_ref, other_user_ref,
    reference_payment_ref, reference_payment_user_ref, reference_user_ref
)
SELECT
    s.account,
    s.intent_id AS object_id,
    min(s.object_id) AS session_id,
    min(s.metadata_app) AS app,
    min(s.client_reference_id) AS reference,
    least(min(n.payment_ref), min(m.payment_ref)) AS payment_ref,
    greatest(max(n.payment_ref), max(m.payment_ref)) AS other_payment_ref,
    least(min(n.user_ref), min(m.user_ref), min(u.user_ref)) AS user_ref,
    greatest(max(n.user_ref), max(m.user_ref), max(u.user_ref)) AS other_user_ref,
    min(p.payment_ref) AS reference_payment_ref,
    min(p.user_ref) AS reference_payment_user_ref,
    min(v.user_ref) AS reference_user_ref
FROM (
    SELECT
        i.account,
        i.object_id AS intent_id,
        c.object_id,
        c.metadata_app,
        c.client_reference_id,
        c.metadata_payment_id,
        c.metadata_user_id
    FROM pg_temp.due_stripe_payment_intents AS i
    INNER JOIN recon.stripe_checkout_sessions AS c ON i.account = c.account AND i.object_id = c.payment_intent_id
    UNION ALL
    -- An invoice that several rows refer to says of none of them that this paid for it.
    SELECT
        i.account,
        i.object_id AS intent_id,
        i.invoice_id AS object_id,
        cast(NULL AS text) AS metadata_app,
        cast(NULL AS text) AS client_reference_id,
        cast(NULL AS text) AS metadata_payment_id,
        cast(NULL AS text) AS metadata_user_id
    FROM pg_temp.due_stripe_payment_intents AS i
    WHERE
        i.invoice_id IS NOT NULL
        AND (
            SELECT count(*) FROM recon.link_payments AS o
            WHERE o.provider = 'stripe' AND o.provider_ref = i.invoice_id
        ) = 1
) AS s
LEFT JOIN recon.link_payments AS n ON n.provider = 'stripe' AND s.object_id = n.provider_ref
LEFT JOIN recon.link_payments AS m ON m.provider = 'stripe' AND s.metadata_payment_id = m.payment_ref
LEFT JOIN recon.link_users AS u ON s.metadata_user_id = u.user_ref
LEFT JOIN recon.link_payments AS p
    ON
        p.provider = 'stripe'
        AND s.client_reference_id = p.payment_ref
        AND p.user_ref IS NOT NULL
        AND :client_reference <> 'user'
LEFT JOIN recon.link_users AS v ON s.client_reference_id = v.user_ref AND :client_reference <> 'payment'
GROUP BY s.account, s.intent_id;
