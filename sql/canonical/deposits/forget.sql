-- Deposits that were judged before and are final no more.
DELETE FROM recon.deposit_matches AS m
USING touched_deposits AS d
WHERE
    m.provider = d.provider
    AND m.account = d.account
    AND m.provider_ref = d.provider_ref
    AND NOT EXISTS (
        SELECT 1 FROM judged AS j
        WHERE j.provider = d.provider AND j.account = d.account AND j.provider_ref = d.provider_ref
    );
