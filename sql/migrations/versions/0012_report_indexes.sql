-- The last reports that read more than they needed.

-- Deposits by hash: compared with the application's payments without a look at the rows themselves.
DROP INDEX recon.provider_transactions_tx_hash;
CREATE INDEX provider_transactions_tx_hash ON recon.provider_transactions (tx_hash)
INCLUDE (provider, account, provider_ref, state, deposit_address, deposit_tag) WHERE kind = 'deposit';

-- What was given back or is disputed: few.
CREATE INDEX provider_transactions_returned ON recon.provider_transactions (provider, provider_ref)
WHERE state = 'refunded' OR amount_refunded > 0 OR disputed;
