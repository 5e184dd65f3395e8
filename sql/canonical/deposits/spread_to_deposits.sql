-- A deposit is to be judged with all that may compete for its payment: at the same address, or named by it, or given
-- to it before.
INSERT INTO touched_deposits (provider, account, provider_ref)
SELECT
    a.provider,
    a.account,
    a.provider_ref
FROM touched_places AS s
INNER JOIN arrived AS a ON s.place = a.place
UNION
SELECT
    a.provider,
    a.account,
    a.provider_ref
FROM touched_payments AS p
INNER JOIN waiting AS w ON p.payment_ref = w.payment_ref
INNER JOIN arrived AS a ON w.provider_ref = a.provider_ref
UNION
SELECT
    a.provider,
    a.account,
    a.provider_ref
FROM touched_payments AS p
INNER JOIN waiting AS w ON p.payment_ref = w.payment_ref
INNER JOIN arrived AS a ON w.tx_hash = a.tx_hash
UNION
SELECT
    a.provider,
    a.account,
    a.provider_ref
FROM touched_payments AS p
INNER JOIN waiting AS w ON p.payment_ref = w.payment_ref
INNER JOIN arrived AS a ON w.provider_ref = a.tx_hash
UNION
SELECT
    m.provider,
    m.account,
    m.provider_ref
FROM touched_payments AS p
INNER JOIN recon.deposit_matches AS m ON p.payment_ref = m.payment_ref AND m.state = 'matched'
EXCEPT
SELECT
    d.provider,
    d.account,
    d.provider_ref
FROM touched_deposits AS d;
