-- What the payments looked like that were judged.
INSERT INTO recon.deposit_match_payments AS s (payment_ref, place, digest)
SELECT
    w.payment_ref,
    w.place,
    w.digest
FROM touched_payments AS p
INNER JOIN waiting AS w ON p.payment_ref = w.payment_ref
LEFT JOIN recon.deposit_match_payments AS o ON w.payment_ref = o.payment_ref
WHERE (w.place, w.digest) IS DISTINCT FROM (o.place, o.digest)
ON CONFLICT (payment_ref) DO UPDATE SET place = excluded.place, digest = excluded.digest;
