-- Accounts of a provider that have payments stored.
SELECT c.account
FROM (SELECT DISTINCT account FROM recon.coverage WHERE provider = :provider) AS c
WHERE
    EXISTS (SELECT 1 FROM recon.nowpayments_payments AS p WHERE p.account = c.account)
    OR EXISTS (SELECT 1 FROM recon.okx_deposits AS d WHERE d.account = c.account)
    OR EXISTS (SELECT 1 FROM recon.stripe_payment_intents AS i WHERE i.account = c.account);
