-- Disputes that changed, or whose payment may have another link now.
INSERT INTO pg_temp.due (source, account, object_id)
SELECT
    'stripe_disputes',
    r.account,
    r.object_id
FROM recon.stripe_disputes AS r
WHERE
    age(r.xmin) <= :changed_within
    OR r.payment_intent_id IN (SELECT d.object_id FROM pg_temp.due AS d WHERE d.source = 'stripe_payment_intents')
    OR r.charge_id IN (SELECT d.object_id FROM pg_temp.due AS d WHERE d.source = 'stripe_charges')
    OR r.charge_id IN (SELECT k.key FROM pg_temp.changed_keys AS k WHERE k.kind = 'charge')
    OR (
        r.payment_intent_id IS NULL
        AND r.charge_id IN (
            SELECT c.object_id
            FROM recon.stripe_charges AS c
            INNER JOIN pg_temp.due AS d ON d.source = 'stripe_payment_intents' AND c.payment_intent_id = d.object_id
        )
    );
