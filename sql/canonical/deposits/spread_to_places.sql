-- The addresses of what was touched since.
INSERT INTO touched_places (place)
SELECT a.place
FROM touched_deposits AS d
INNER JOIN arrived AS a ON d.provider = a.provider AND d.account = a.account AND d.provider_ref = a.provider_ref
WHERE a.place IS NOT NULL
UNION
SELECT w.place
FROM touched_payments AS p
INNER JOIN waiting AS w ON p.payment_ref = w.payment_ref
WHERE w.place IS NOT NULL
EXCEPT
SELECT s.place
FROM touched_places AS s;
