-- Applications that sell by invoices know the invoice, and often not the payment: at NOWPayments there is none before
-- the payer has chosen a coin, at Stripe the invoice makes it.

ALTER TABLE recon.nowpayments_payments ADD COLUMN invoice_id text;
ALTER TABLE recon.stripe_payment_intents ADD COLUMN invoice_id text;

-- What is stored was read without it: taken from the provider's own words where they are kept, else from the next full
-- list, as an added column changes each digest. Escapes that no text can hold make a body unreadable as a whole: those
-- few wait for the list.
UPDATE recon.nowpayments_payments AS n
SET invoice_id = j.invoice_id
FROM (
    SELECT
        r.account,
        r.object_id,
        CASE
            WHEN cast(r.body AS text) !~* '\\u(0000|d[89a-f])' THEN btrim(r.body ->> 'invoice_id')
        END AS invoice_id
    FROM recon.raw_json AS r
    WHERE r.provider = 'nowpayments' AND r.resource = 'payments' AND cast(r.body AS text) LIKE '%"invoice_id"%'
) AS j
WHERE
    n.account = j.account
    AND n.object_id = j.object_id
    AND lower(j.invoice_id) NOT IN ('', 'null', 'none', 'undefined');

UPDATE recon.stripe_payment_intents AS i
SET invoice_id = j.invoice_id
FROM (
    SELECT
        r.account,
        r.object_id,
        CASE
            WHEN cast(r.body AS text) ~* '\\u(0000|d[89a-f])' THEN NULL
            -- Expanded, the invoice itself stands in place of its id.
            WHEN json_typeof(r.body -> 'invoice') = 'object' THEN r.body #>> '{invoice,id}'
            ELSE r.body ->> 'invoice'
        END AS invoice_id
    FROM recon.raw_json AS r
    WHERE r.provider = 'stripe' AND r.resource = 'payment_intents' AND cast(r.body AS text) LIKE '%"invoice"%'
) AS j
WHERE i.account = j.account AND i.object_id = j.object_id AND j.invoice_id <> '';
