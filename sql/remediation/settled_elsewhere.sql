-- Other payments that the application completed with a deposit that was matched to this one.
SELECT DISTINCT cast(p.payment_id AS text) AS payment_id
FROM recon.deposit_matches AS m
INNER JOIN recon.provider_transactions AS t
    ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
INNER JOIN recon.app_payments AS p
    ON
        t.provider = p.provider
        AND (t.tx_hash = p.tx_hash OR t.provider_ref = p.provider_ref)
        AND coalesce(t.deposit_address, '') = coalesce(p.deposit_address, t.deposit_address, '')
        AND coalesce(t.deposit_tag, '') = coalesce(p.deposit_tag, t.deposit_tag, '')
INNER JOIN recon.state_map AS s
    ON p.status = s.raw_status AND s.provider = 'app' AND s.resource = 'app_payment' AND s.state = 'paid'
WHERE
    m.state = 'matched'
    AND m.payment_ref = cast(:payment_id AS text)
    AND cast(p.payment_id AS text) <> m.payment_ref
ORDER BY payment_id;
