-- What the reports about holds and payouts need of ours: the parts of payouts, and the few suspects by index.

-- Which balance transactions an automatic payout paid out: object_id is payout/balance transaction. A balance
-- transaction does not name its payout, so its figures stand here once more: a payout's parts are read as one.
CREATE TABLE recon.stripe_payout_items (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    payout_id text NOT NULL,
    balance_transaction_id text NOT NULL,
    type text NOT NULL,
    source_id text,
    currency text NOT NULL,
    amount numeric NOT NULL,
    fee numeric NOT NULL,
    net numeric NOT NULL,
    created_at timestamptz NOT NULL,
    payout_created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_payout_items_created ON recon.stripe_payout_items (account, payout_created_at);
CREATE INDEX stripe_payout_items_payout ON recon.stripe_payout_items (account, payout_id)
INCLUDE (source_id, type, currency, net, read_at) WHERE vanished_at IS NULL;
CREATE INDEX stripe_payout_items_transaction ON recon.stripe_payout_items (account, balance_transaction_id)
WHERE vanished_at IS NULL;

-- Income, to be looked for among the parts: both sides are walked in the order of the same key.
CREATE INDEX stripe_balance_transactions_income ON recon.stripe_balance_transactions (account, object_id)
INCLUDE (type, currency, net, source_id, created_at, available_at)
WHERE type IN ('charge', 'payment') AND vanished_at IS NULL;

-- Holds that the provider let go because nobody captured them in time.
CREATE INDEX stripe_payment_intents_lapsed ON recon.stripe_payment_intents (canceled_at)
WHERE status = 'canceled' AND cancellation_reason IN ('automatic', 'expired');

-- Payouts that failed, transfers that came back: few.
CREATE INDEX stripe_payouts_failed ON recon.stripe_payouts (created_at) WHERE status = 'failed';
CREATE INDEX stripe_transfers_reversed ON recon.stripe_transfers (object_id) WHERE reversed;
