-- In which account a provider's object was seen; more than one is nobody's.
SELECT DISTINCT t.account
FROM recon.provider_transactions AS t
WHERE t.provider = 'stripe' AND t.provider_ref = :provider_ref
ORDER BY t.account;
