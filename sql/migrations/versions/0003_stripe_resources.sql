-- Raw snapshots of Stripe beyond intents and refunds, as those in 0001: read_at is when the provider's state was read,
-- digest a 64-bit hash of the object's body, vanished_at when the provider stopped having it. Amounts in major units.

-- Which application a payment belongs to, where the account serves several.
ALTER TABLE recon.stripe_payment_intents ADD COLUMN metadata_app text;

CREATE INDEX stripe_payment_intents_charge ON recon.stripe_payment_intents (account, charge_id)
WHERE charge_id IS NOT NULL;
CREATE INDEX stripe_payment_intents_customer ON recon.stripe_payment_intents (account, customer_id)
WHERE customer_id IS NOT NULL;
CREATE INDEX stripe_refunds_charge ON recon.stripe_refunds (account, charge_id) WHERE charge_id IS NOT NULL;

CREATE TABLE recon.stripe_charges (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    capture_state text NOT NULL,
    status text NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    amount_captured numeric,
    amount_refunded numeric NOT NULL,
    paid boolean,
    captured boolean,
    refunded boolean NOT NULL,
    disputed boolean NOT NULL,
    payment_intent_id text,
    customer_id text,
    balance_transaction_id text,
    transfer_id text,
    transfer_group text,
    application_fee numeric,
    payment_method_type text,
    card_network text,
    capture_before timestamptz,
    failure_code text,
    outcome_type text,
    description text,
    metadata_user_id text,
    metadata_payment_id text,
    metadata_app text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_charges_payment_intent ON recon.stripe_charges (account, payment_intent_id);
CREATE INDEX stripe_charges_customer ON recon.stripe_charges (account, customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE recon.stripe_disputes (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    reason text,
    network_reason_code text,
    currency text NOT NULL,
    amount numeric NOT NULL,
    charge_id text,
    payment_intent_id text,
    is_charge_refundable boolean,
    evidence_due_at timestamptz,
    has_evidence boolean NOT NULL,
    submission_count integer NOT NULL,
    card_network text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_disputes_charge ON recon.stripe_disputes (account, charge_id);
CREATE INDEX stripe_disputes_payment_intent ON recon.stripe_disputes (account, payment_intent_id);

CREATE TABLE recon.stripe_payouts (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    type text,
    method text,
    automatic boolean NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    arrival_at timestamptz,
    destination_id text,
    balance_transaction_id text,
    failure_balance_transaction_id text,
    failure_code text,
    reconciliation_status text,
    original_payout_id text,
    reversed_by_id text,
    trace_id text,
    description text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);

CREATE TABLE recon.stripe_transfers (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    amount_reversed numeric NOT NULL,
    reversed boolean NOT NULL,
    destination_id text,
    destination_payment_id text,
    charge_id text,
    transfer_group text,
    balance_transaction_id text,
    description text,
    metadata_user_id text,
    metadata_payment_id text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_transfers_charge ON recon.stripe_transfers (account, charge_id) WHERE charge_id IS NOT NULL;

-- object_id is transfer/reversal, by which Stripe reads one; balance transactions name reversal_id as their source.
CREATE TABLE recon.stripe_transfer_reversals (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    reversal_id text NOT NULL,
    transfer_id text NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    balance_transaction_id text,
    refund_id text,
    destination_payment_refund_id text,
    created_at timestamptz NOT NULL,
    transfer_created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_transfer_reversals_reversal ON recon.stripe_transfer_reversals (account, reversal_id);
CREATE INDEX stripe_transfer_reversals_transfer ON recon.stripe_transfer_reversals (account, transfer_id);

-- Amounts in the settlement currency: net = amount - fee. source_id names the charge, refund, payout and so on.
CREATE TABLE recon.stripe_balance_transactions (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    type text NOT NULL,
    reporting_category text,
    balance_type text,
    currency text NOT NULL,
    amount numeric NOT NULL,
    fee numeric NOT NULL,
    net numeric NOT NULL,
    exchange_rate numeric,
    source_id text,
    description text,
    available_at timestamptz,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_balance_transactions_source ON recon.stripe_balance_transactions (account, source_id);

CREATE TABLE recon.stripe_checkout_sessions (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    payment_state text NOT NULL,
    status text,
    payment_status text,
    mode text,
    currency text,
    amount numeric,
    customer_id text,
    payment_intent_id text,
    subscription_id text,
    client_reference_id text,
    metadata_user_id text,
    metadata_payment_id text,
    metadata_app text,
    email_sha256 text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_checkout_sessions_payment_intent ON recon.stripe_checkout_sessions (account, payment_intent_id)
WHERE payment_intent_id IS NOT NULL;
CREATE INDEX stripe_checkout_sessions_subscription ON recon.stripe_checkout_sessions (account, subscription_id)
WHERE subscription_id IS NOT NULL;
CREATE INDEX stripe_checkout_sessions_customer ON recon.stripe_checkout_sessions (account, customer_id)
WHERE customer_id IS NOT NULL;

-- amount is what one period costs; null where a price is metered, tiered or in fractions of a cent.
CREATE TABLE recon.stripe_subscriptions (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    customer_id text,
    currency text NOT NULL,
    amount numeric,
    price_id text,
    product_id text,
    period text,
    period_count integer,
    quantity bigint,
    current_period_start timestamptz,
    current_period_end timestamptz,
    cancel_at timestamptz,
    cancel_at_period_end boolean NOT NULL,
    canceled_at timestamptz,
    cancellation_reason text,
    ended_at timestamptz,
    trial_end timestamptz,
    started_at timestamptz,
    collection_method text,
    latest_invoice_id text,
    metadata_user_id text,
    metadata_app text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_subscriptions_customer ON recon.stripe_subscriptions (account, customer_id);

-- email_sha256: SHA-256 of the address in lower case, as hex; the address itself is kept nowhere.
CREATE TABLE recon.stripe_customers (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    email_sha256 text,
    currency text,
    delinquent boolean,
    metadata_user_id text,
    metadata_app text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_customers_email ON recon.stripe_customers (email_sha256) WHERE email_sha256 IS NOT NULL;

CREATE TABLE recon.stripe_events (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    type text NOT NULL,
    subject_id text,
    subject_type text,
    pending_webhooks integer NOT NULL,
    api_version text,
    request_id text,
    idempotency_key text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_events_subject ON recon.stripe_events (account, subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX stripe_events_undelivered ON recon.stripe_events (account, created_at) WHERE pending_webhooks > 0;

-- Windows select by creation time (reversals by their transfer's), and every run asks what is still open.
CREATE INDEX stripe_charges_created ON recon.stripe_charges (account, created_at);
CREATE INDEX stripe_charges_open ON recon.stripe_charges (account, capture_state);
CREATE INDEX stripe_disputes_created ON recon.stripe_disputes (account, created_at);
CREATE INDEX stripe_disputes_open ON recon.stripe_disputes (account, status);
CREATE INDEX stripe_payouts_created ON recon.stripe_payouts (account, created_at);
CREATE INDEX stripe_payouts_open ON recon.stripe_payouts (account, status);
CREATE INDEX stripe_transfers_created ON recon.stripe_transfers (account, created_at);
CREATE INDEX stripe_transfer_reversals_created ON recon.stripe_transfer_reversals (account, transfer_created_at);
CREATE INDEX stripe_balance_transactions_created ON recon.stripe_balance_transactions (account, created_at);
CREATE INDEX stripe_balance_transactions_open ON recon.stripe_balance_transactions (account, status);
CREATE INDEX stripe_checkout_sessions_created ON recon.stripe_checkout_sessions (account, created_at);
CREATE INDEX stripe_checkout_sessions_open ON recon.stripe_checkout_sessions (account, payment_state);
CREATE INDEX stripe_subscriptions_created ON recon.stripe_subscriptions (account, created_at);
CREATE INDEX stripe_subscriptions_open ON recon.stripe_subscriptions (account, status);
CREATE INDEX stripe_customers_created ON recon.stripe_customers (account, created_at);
CREATE INDEX stripe_events_created ON recon.stripe_events (account, created_at);

-- By capture_state for charges and payment_state for checkouts. For disputes: what became of the money in dispute.
INSERT INTO recon.state_map (provider, resource, raw_status, state) VALUES
('stripe', 'charges', 'pending', 'processing'),
('stripe', 'charges', 'failed', 'failed'),
('stripe', 'charges', 'uncaptured', 'authorized'),
('stripe', 'charges', 'released', 'canceled'),
('stripe', 'charges', 'captured', 'paid'),
('stripe', 'charges', 'succeeded', 'paid'),
('stripe', 'disputes', 'warning_needs_response', 'pending'),
('stripe', 'disputes', 'warning_under_review', 'pending'),
('stripe', 'disputes', 'warning_closed', 'canceled'),
('stripe', 'disputes', 'needs_response', 'frozen'),
('stripe', 'disputes', 'under_review', 'frozen'),
('stripe', 'disputes', 'appeal_needs_response', 'frozen'),
('stripe', 'disputes', 'appeal_under_review', 'frozen'),
('stripe', 'disputes', 'prevented', 'canceled'),
('stripe', 'disputes', 'won', 'paid'),
('stripe', 'disputes', 'lost', 'refunded'),
('stripe', 'payouts', 'pending', 'pending'),
('stripe', 'payouts', 'in_transit', 'processing'),
('stripe', 'payouts', 'paid', 'paid'),
('stripe', 'payouts', 'failed', 'failed'),
('stripe', 'payouts', 'canceled', 'canceled'),
('stripe', 'balance_transactions', 'pending', 'processing'),
('stripe', 'balance_transactions', 'available', 'paid'),
('stripe', 'checkout_sessions', 'open', 'pending'),
('stripe', 'checkout_sessions', 'processing', 'processing'),
('stripe', 'checkout_sessions', 'complete', 'paid'),
('stripe', 'checkout_sessions', 'expired', 'expired'),
('stripe', 'subscriptions', 'incomplete', 'pending'),
('stripe', 'subscriptions', 'incomplete_expired', 'expired'),
('stripe', 'subscriptions', 'trialing', 'pending'),
('stripe', 'subscriptions', 'active', 'paid'),
('stripe', 'subscriptions', 'past_due', 'processing'),
('stripe', 'subscriptions', 'unpaid', 'failed'),
('stripe', 'subscriptions', 'paused', 'frozen'),
('stripe', 'subscriptions', 'canceled', 'canceled');
