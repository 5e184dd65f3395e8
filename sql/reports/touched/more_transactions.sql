-- What counts together with touched objects: a gateway's repeated deposits, children of the first, and the other
-- deposits of one payment.
INSERT INTO touched_transactions (provider, provider_ref)
SELECT
    c.provider,
    c.provider_ref
FROM pg_temp.touched_transactions AS k
INNER JOIN recon.provider_transactions AS t ON k.provider = t.provider AND k.provider_ref = t.provider_ref
INNER JOIN recon.provider_transactions AS c
    ON t.provider = c.provider AND t.account = c.account AND t.provider_ref = c.parent_ref
UNION
SELECT
    o.provider,
    o.provider_ref
FROM pg_temp.touched_transactions AS k
INNER JOIN recon.deposit_matches AS m
    ON k.provider = m.provider AND k.provider_ref = m.provider_ref AND m.state = 'matched'
INNER JOIN recon.deposit_matches AS o ON m.payment_ref = o.payment_ref AND o.state = 'matched'
EXCEPT
SELECT
    k.provider,
    k.provider_ref
FROM pg_temp.touched_transactions AS k;
