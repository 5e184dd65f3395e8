-- Deposits to judge: at first those that are new, look different, or are final no more.
CREATE TEMPORARY TABLE touched_deposits ON COMMIT DROP AS
SELECT
    coalesce(a.provider, m.provider) AS provider,
    coalesce(a.account, m.account) AS account,
    coalesce(a.provider_ref, m.provider_ref) AS provider_ref
FROM arrived AS a
FULL JOIN recon.deposit_matches AS m
    ON a.provider = m.provider AND a.account = m.account AND a.provider_ref = m.provider_ref
WHERE a.digest IS DISTINCT FROM m.digest;
