-- Locks what was matched to a payment until the transaction ends: no deposit is given to another one meanwhile.
SELECT m.provider_ref
FROM recon.deposit_matches AS m
WHERE m.state = 'matched' AND m.payment_ref = cast(:payment_id AS text)
ORDER BY m.provider, m.account, m.provider_ref
FOR UPDATE;
