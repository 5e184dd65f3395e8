-- A payment is to be judged with all that may compete for its deposit: at the same address, or naming the same, or
-- given it before.
INSERT INTO touched_payments (payment_ref)
SELECT w.payment_ref
FROM touched_places AS s
INNER JOIN waiting AS w ON s.place = w.place
UNION
SELECT w.payment_ref
FROM touched_deposits AS d
INNER JOIN waiting AS w ON d.provider_ref = w.provider_ref
UNION
SELECT w.payment_ref
FROM touched_deposits AS d
INNER JOIN recon.provider_transactions AS t
    ON d.provider = t.provider AND d.account = t.account AND d.provider_ref = t.provider_ref
INNER JOIN waiting AS w ON t.tx_hash = w.tx_hash
UNION
SELECT w.payment_ref
FROM touched_deposits AS d
INNER JOIN recon.provider_transactions AS t
    ON d.provider = t.provider AND d.account = t.account AND d.provider_ref = t.provider_ref
INNER JOIN waiting AS w ON t.tx_hash = w.provider_ref
UNION
SELECT m.payment_ref
FROM touched_deposits AS d
INNER JOIN recon.deposit_matches AS m
    ON d.provider = m.provider AND d.account = m.account AND d.provider_ref = m.provider_ref
WHERE m.payment_ref IS NOT NULL
EXCEPT
SELECT p.payment_ref
FROM touched_payments AS p;
