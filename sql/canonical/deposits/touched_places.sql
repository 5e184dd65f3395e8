-- Addresses at which something is to be judged, those included where a payment was before.
CREATE TEMPORARY TABLE touched_places ON COMMIT DROP AS
SELECT lower(btrim(t.deposit_address)) AS place
FROM touched_deposits AS d
INNER JOIN recon.provider_transactions AS t
    ON d.provider = t.provider AND d.account = t.account AND d.provider_ref = t.provider_ref
WHERE t.deposit_address IS NOT NULL
UNION
SELECT w.place
FROM touched_payments AS p
INNER JOIN waiting AS w ON p.payment_ref = w.payment_ref
WHERE w.place IS NOT NULL
UNION
SELECT s.place
FROM touched_payments AS p
INNER JOIN recon.deposit_match_payments AS s ON p.payment_ref = s.payment_ref
WHERE s.place IS NOT NULL;
