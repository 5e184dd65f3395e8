-- Accounts of a provider without ids of its own that have rows.
SELECT c.account
FROM (SELECT DISTINCT account FROM recon.coverage WHERE provider = :provider) AS c
WHERE
    EXISTS (SELECT 1 FROM recon.nowpayments_payments AS p WHERE p.account = c.account)
    OR EXISTS (SELECT 1 FROM recon.okx_deposits AS d WHERE d.account = c.account);
