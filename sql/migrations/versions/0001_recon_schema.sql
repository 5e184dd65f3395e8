-- Everything of ours lives in schema recon (reports are materialised in schema reports).

CREATE SCHEMA IF NOT EXISTS recon;
CREATE SCHEMA IF NOT EXISTS reports;

-- Certificates of fetches: what was read, when, and whether it was all. Newest first by coverage_id.
CREATE TABLE recon.coverage (
    coverage_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    account text NOT NULL,
    livemode boolean NOT NULL,
    resource text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('backfill', 'incremental', 'sweep', 'reread')),
    window_from timestamptz NOT NULL,
    window_to timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    pages integer NOT NULL,
    objects integer NOT NULL,
    rows_written integer NOT NULL,
    rejected integer NOT NULL DEFAULT 0,
    complete boolean NOT NULL,
    error text,
    run_id text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL
);
CREATE INDEX coverage_newest ON recon.coverage (provider, account, resource, coverage_id DESC);

-- One provider object that could not be read; the rest of its page went on.
CREATE TABLE recon.rejected_objects (
    provider text NOT NULL,
    account text NOT NULL,
    resource text NOT NULL,
    object_id text NOT NULL,
    reason text NOT NULL,
    body json,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (provider, account, resource, object_id)
);

-- The provider's own words, apart from the columns that reports read; written only when they change.
CREATE TABLE recon.raw_json (
    provider text NOT NULL,
    account text NOT NULL,
    resource text NOT NULL,
    object_id text NOT NULL,
    body json NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (provider, account, resource, object_id)
);
DO $$
BEGIN
    ALTER TABLE recon.raw_json ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;  -- a server built without lz4 (the embedded one) compresses with pglz
END
$$;

-- Raw snapshots. In each: read_at is when the provider's state was read (the request's start), digest is a 64-bit
-- hash of the object's body, vanished_at says when the provider stopped having it.
CREATE TABLE recon.stripe_payment_intents (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    cancellation_reason text,
    currency text NOT NULL,
    amount numeric NOT NULL,
    amount_received numeric NOT NULL,
    amount_capturable numeric NOT NULL,
    capture_method text,
    customer_id text,
    metadata_user_id text,
    metadata_payment_id text,
    description text,
    last_error_code text,
    created_at timestamptz NOT NULL,
    canceled_at timestamptz,
    charge_id text,
    charge_status text,
    charge_captured boolean,
    charge_created_at timestamptz,
    charge_amount_captured numeric,
    charge_amount_refunded numeric,
    charge_refunded boolean,
    charge_disputed boolean,
    capture_before timestamptz,
    card_network text,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);

CREATE TABLE recon.stripe_refunds (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    reason text,
    failure_reason text,
    currency text NOT NULL,
    amount numeric NOT NULL,
    payment_intent_id text,
    charge_id text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);
CREATE INDEX stripe_refunds_payment_intent ON recon.stripe_refunds (account, payment_intent_id);

CREATE TABLE recon.nowpayments_payments (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    parent_id text,
    origin_type text,
    status text NOT NULL,
    order_id text,
    order_description text,
    price_amount numeric NOT NULL,
    price_currency text NOT NULL,
    pay_amount numeric,
    pay_currency text,
    actually_paid numeric,
    outcome_amount numeric,
    outcome_currency text,
    pay_address text,
    payin_extra_id text,
    network text,
    payin_hash text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    expires_at timestamptz,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);

CREATE TABLE recon.okx_deposits (
    account text NOT NULL,
    livemode boolean NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    currency text NOT NULL,
    chain text,
    amount numeric NOT NULL,
    address text,
    tag text,
    tx_id text,
    from_address text,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    digest bigint NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (account, object_id)
);

-- Provider statuses in canonical words. resource 'app_payment' maps the application's own statuses (provider 'app').
CREATE TABLE recon.state_map (
    provider text NOT NULL,
    resource text NOT NULL,
    raw_status text NOT NULL,
    state text NOT NULL CHECK (state IN (
        'pending', 'processing', 'authorized', 'paid', 'partially_paid', 'failed', 'canceled', 'expired',
        'refunded', 'frozen', 'unknown'
    )),
    PRIMARY KEY (provider, resource, raw_status)
);

-- One provider object in canonical form. Amounts in major units.
CREATE TABLE recon.provider_transactions (
    provider text NOT NULL,
    account text NOT NULL,
    provider_ref text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund', 'deposit')),
    parent_ref text,
    livemode boolean NOT NULL,
    state text NOT NULL,
    raw_status text NOT NULL,
    amount numeric NOT NULL,
    currency text NOT NULL,
    amount_received numeric,
    received_currency text,
    expected_amount numeric, -- in received_currency
    amount_refunded numeric NOT NULL DEFAULT 0,
    disputed boolean NOT NULL DEFAULT FALSE,
    customer_ref text,
    user_ref text,
    payment_ref text,
    link_method text NOT NULL DEFAULT 'none' CHECK (
        link_method IN ('reference', 'metadata', 'customer', 'checkout', 'none', 'ambiguous', 'foreign')
    ),
    deposit_address text,
    deposit_tag text,
    network text,
    tx_hash text,
    provider_created_at timestamptz NOT NULL,
    paid_at timestamptz,
    capture_before timestamptz,
    state_changed_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    vanished_at timestamptz,
    PRIMARY KEY (provider, account, provider_ref)
);
CREATE UNIQUE INDEX provider_transactions_compare
ON recon.provider_transactions (provider, provider_ref, account)
INCLUDE (kind, state, amount, currency, amount_received, received_currency, amount_refunded, state_changed_at);
-- Objects that are found by something else than their id: both are few.
CREATE INDEX provider_transactions_tx_hash
ON recon.provider_transactions (tx_hash) WHERE kind = 'deposit';
CREATE INDEX provider_transactions_payment_ref
ON recon.provider_transactions (payment_ref) WHERE link_method IN ('metadata', 'checkout');
CREATE INDEX provider_transactions_holds
ON recon.provider_transactions (state_changed_at) WHERE state = 'authorized';
CREATE INDEX provider_transactions_unknown
ON recon.provider_transactions (provider, provider_ref) WHERE state = 'unknown';
CREATE INDEX provider_transactions_parent
ON recon.provider_transactions (provider, account, parent_ref) WHERE parent_ref IS NOT NULL;

-- One run of one report, for charts over time.
CREATE TABLE recon.report_runs (
    report_run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    report text NOT NULL,
    as_of timestamptz NOT NULL,
    rows integer NOT NULL,
    by_severity jsonb NOT NULL,
    amount_at_risk jsonb NOT NULL,
    seconds numeric NOT NULL,
    run_id text
);
CREATE INDEX report_runs_newest ON recon.report_runs (report, report_run_id DESC);

-- Anomalies with identity (report, fingerprint) and lifetime (episode).
CREATE TABLE recon.findings (
    finding_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    report text NOT NULL,
    fingerprint text NOT NULL,
    episode integer NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'acknowledged', 'snoozed', 'resolved')),
    severity text NOT NULL CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    provider text,
    user_ref text,
    payment_ref text,
    amount numeric,
    currency text,
    action text,
    evidence jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    times_seen integer NOT NULL,
    snoozed_until timestamptz,
    resolved_at timestamptz,
    resolved_by text,
    resolution text,
    UNIQUE (report, fingerprint, episode)
);
CREATE UNIQUE INDEX findings_live ON recon.findings (report, fingerprint) WHERE status <> 'resolved';
CREATE INDEX findings_open ON recon.findings (status, severity, opened_at) WHERE status <> 'resolved';
CREATE INDEX findings_user ON recon.findings (user_ref);

-- The outbox. Written in the transaction that changes a finding; delivered at least once.
CREATE TABLE recon.notifications (
    notification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedupe_key text NOT NULL UNIQUE,
    channel text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('opened', 'resolved', 'digest', 'summary', 'failure')),
    finding_id bigint REFERENCES recon.findings,
    severity text NOT NULL,
    body jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'dead')) DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    leased_until timestamptz,
    message_id text,
    last_error text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz
);
CREATE INDEX notifications_due ON recon.notifications (next_attempt_at) WHERE state IN ('pending', 'sending');
CREATE INDEX notifications_finding ON recon.notifications (finding_id);

-- Channels that asked us to wait, or do not answer: nothing is sent there before paused_until. A success ends it.
CREATE TABLE recon.channel_pauses (
    channel text PRIMARY KEY,
    paused_until timestamptz NOT NULL,
    failures integer NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL
);

-- What may happen by itself.
CREATE TABLE recon.policies (
    action text PRIMARY KEY,
    mode text NOT NULL CHECK (mode IN ('off', 'propose', 'auto')),
    approvals integer NOT NULL CHECK (approvals BETWEEN 0 AND 2),
    max_per_run integer NOT NULL CHECK (max_per_run >= 0),
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);

-- One repair of one finding, or of one target chosen by a person (finding_id null).
CREATE TABLE recon.actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finding_id bigint REFERENCES recon.findings,
    kind text NOT NULL,
    target jsonb NOT NULL,
    precondition jsonb NOT NULL,
    precondition_digest text NOT NULL,
    effects jsonb NOT NULL,
    state text NOT NULL CHECK (
        state IN ('proposed', 'approved', 'applying', 'verified', 'failed', 'rejected', 'expired')
    ),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    leased_until timestamptz,
    result jsonb,
    finished_at timestamptz
);
CREATE UNIQUE INDEX actions_live ON recon.actions (finding_id, kind)
WHERE state IN ('proposed', 'approved', 'applying');
CREATE INDEX actions_due ON recon.actions (state, action_id) WHERE state IN ('proposed', 'approved', 'applying');

-- Who did what to whom, and why. Rows are added, never changed or removed; each carries the hash of the one before.
CREATE TABLE recon.audit_log (
    audit_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    event text NOT NULL,
    action_id bigint REFERENCES recon.actions,
    finding_id bigint,
    user_ref text,
    payment_ref text,
    reason text,
    before jsonb,
    after jsonb,
    details jsonb NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL UNIQUE
);

CREATE FUNCTION recon.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'recon.audit_log is append-only: % refused', TG_OP;
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON recon.audit_log
FOR EACH ROW EXECUTE FUNCTION recon.refuse_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON recon.audit_log
FOR EACH STATEMENT EXECUTE FUNCTION recon.refuse_change();

-- Which version of each contract view is applied.
CREATE TABLE recon.contract_views (
    view_name text PRIMARY KEY,
    digest text NOT NULL
);
