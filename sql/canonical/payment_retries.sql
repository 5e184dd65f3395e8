-- What went well after all: for an attempt to pay, other attempts that have or hold the money. what says how the two
-- belong together. same: another payment of the same user for the same plan or booking; or, where no payment of the
-- application is known for the attempt, the same customer and the same sum. other plan: of the same user, for another
-- plan. this payment: another object for the same payment of the application. Readers start from few attempts, ask
-- laterally, and say how long after an attempt another one (tried_at) still is the same purchase.
CREATE VIEW recon.payment_retries AS
SELECT
    a.provider,
    a.account,
    a.provider_ref,
    s.created_at AS tried_at,
    CASE WHEN k.plan_id = s.plan_id OR k.booking_id = s.booking_id THEN 'same' ELSE 'other plan' END AS what
FROM recon.provider_transactions AS a
INNER JOIN LATERAL (
    -- The limit is a fence: of a few attempts the payments are asked for by index.
    SELECT o.payment_id
    FROM recon.payment_objects AS o
    WHERE o.provider = a.provider AND o.account = a.account AND o.provider_ref = a.provider_ref
    ORDER BY o.way
    LIMIT 1000
) AS x ON TRUE
INNER JOIN recon.app_payments AS k ON x.payment_id = k.payment_id
INNER JOIN recon.app_payments AS s ON k.user_id = s.user_id
LEFT JOIN recon.state_map AS m
    ON s.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
LEFT JOIN recon.provider_transactions AS t
    ON s.provider = t.provider AND s.provider_ref = t.provider_ref AND t.kind IN ('payment', 'deposit')
WHERE
    k.payment_id <> s.payment_id
    AND (
        k.plan_id = s.plan_id
        OR k.booking_id = s.booking_id
        OR (k.plan_id IS NOT NULL AND s.plan_id IS NOT NULL AND s.booking_id IS NULL)
    )
    -- On the provider's word or, where it is not read, the application's.
    AND (t.state IN ('paid', 'authorized', 'processing') OR (t.state IS NULL AND m.state IN ('paid', 'authorized')))
UNION ALL
SELECT
    a.provider,
    a.account,
    a.provider_ref,
    i.created_at AS tried_at,
    'same' AS what
FROM recon.provider_transactions AS a
INNER JOIN recon.stripe_payment_intents AS i ON a.account = i.account AND a.customer_ref = i.customer_id
WHERE
    a.provider = 'stripe'
    AND i.status IN ('succeeded', 'requires_capture', 'processing')
    AND i.amount = a.amount
    AND upper(i.currency) = a.currency
    AND i.vanished_at IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM recon.payment_objects AS o
        WHERE o.provider = a.provider AND o.account = a.account AND o.provider_ref = a.provider_ref
    )
UNION ALL
-- The reference has moved on to another object.
SELECT
    a.provider,
    a.account,
    a.provider_ref,
    i.created_at AS tried_at,
    'this payment' AS what
FROM recon.provider_transactions AS a
INNER JOIN recon.stripe_payment_intents AS i ON a.account = i.account AND a.customer_ref = i.customer_id
WHERE
    a.provider = 'stripe'
    AND a.payment_ref = i.metadata_payment_id
    AND a.provider_ref <> i.object_id
    AND i.status IN ('succeeded', 'requires_capture', 'processing')
    AND i.vanished_at IS NULL
UNION ALL
SELECT
    a.provider,
    a.account,
    a.provider_ref,
    t.provider_created_at AS tried_at,
    'this payment' AS what
FROM recon.provider_transactions AS a
INNER JOIN recon.app_payments AS s ON a.provider = s.provider AND a.payment_ref = cast(s.payment_id AS text)
INNER JOIN recon.provider_transactions AS t ON s.provider = t.provider AND s.provider_ref = t.provider_ref
WHERE
    a.provider_ref <> t.provider_ref
    AND t.kind = 'payment'
    AND t.state IN ('paid', 'authorized', 'processing')
    AND t.vanished_at IS NULL
UNION ALL
-- Two objects for one payment that refers to neither.
SELECT
    a.provider,
    a.account,
    a.provider_ref,
    t.provider_created_at AS tried_at,
    'this payment' AS what
FROM recon.provider_transactions AS a
INNER JOIN recon.provider_transactions AS t ON a.provider = t.provider AND a.payment_ref = t.payment_ref
WHERE
    a.provider_ref <> t.provider_ref
    AND t.kind = 'payment'
    AND t.link_method IN ('metadata', 'checkout')
    AND t.state IN ('paid', 'authorized', 'processing')
    AND t.vanished_at IS NULL;
