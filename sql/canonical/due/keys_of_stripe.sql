-- Payments and charges that something else at Stripe speaks about: customers and checkouts say whose they are, refunds
-- how much of them was returned. Changed since the mark: by the transaction that wrote the row, because times of
-- reading are no order of writing (a long fetch began early and is stored late).
INSERT INTO pg_temp.changed_keys (kind, key)
SELECT
    'customer',
    c.object_id
FROM recon.stripe_customers AS c
WHERE
    age(c.xmin) <= :changed_within
    OR c.metadata_user_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'user')
UNION
SELECT
    'intent',
    s.payment_intent_id
FROM recon.stripe_checkout_sessions AS s
WHERE
    s.payment_intent_id IS NOT NULL
    AND (
        age(s.xmin) <= :changed_within
        OR s.object_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'stripe')
        OR s.metadata_payment_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'payment')
        OR s.metadata_user_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'user')
        OR s.client_reference_id IN (
            SELECT k.key FROM pg_temp.changed_keys AS k
            WHERE k.kind IN ('payment', 'user')
        )
    )
UNION
SELECT
    'intent',
    r.payment_intent_id
FROM recon.stripe_refunds AS r
WHERE r.payment_intent_id IS NOT NULL AND age(r.xmin) <= :changed_within
UNION
SELECT
    'charge',
    r.charge_id
FROM recon.stripe_refunds AS r
WHERE r.charge_id IS NOT NULL AND age(r.xmin) <= :changed_within
UNION
SELECT
    'charge',
    c.object_id
FROM recon.stripe_charges AS c
WHERE age(c.xmin) <= :changed_within;
