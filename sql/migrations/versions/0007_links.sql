-- Whose money it is, and how we know.

-- What speaks for the link, e.g. metadata.payment_id=17; where it is not linked, all that was found, candidates named.
ALTER TABLE recon.provider_transactions ADD COLUMN link_evidence text;
ALTER TABLE recon.provider_transactions DROP CONSTRAINT provider_transactions_kind_check;
ALTER TABLE recon.provider_transactions ADD CONSTRAINT provider_transactions_kind_check
CHECK (kind IN ('payment', 'refund', 'deposit', 'dispute', 'payout', 'transfer'));

-- What the application said at the last refresh about whose money it is: keys as text, indexed for the look-ups of
-- linking, and compared with the contract views to know what changed there.
CREATE TABLE recon.link_payments (
    payment_ref text NOT NULL PRIMARY KEY,
    user_ref text,
    provider text,
    provider_ref text,
    tx_hash text
);
CREATE INDEX link_payments_reference ON recon.link_payments (provider_ref, provider);
CREATE INDEX link_payments_tx_hash ON recon.link_payments (tx_hash) WHERE tx_hash IS NOT NULL;

CREATE TABLE recon.link_users (
    user_ref text NOT NULL PRIMARY KEY,
    customer_ref text
);
CREATE INDEX link_users_customer ON recon.link_users (customer_ref) WHERE customer_ref IS NOT NULL;

CREATE TABLE recon.link_payouts (
    payout_ref text NOT NULL PRIMARY KEY,
    user_ref text,
    provider_ref text
);
CREATE INDEX link_payouts_reference ON recon.link_payouts (provider_ref) WHERE provider_ref IS NOT NULL;

-- Up to where recon.provider_transactions follows the raw tables: every transaction before changed_from was over and
-- read. Only comparable on the same cluster, and worth nothing once the rules (statements, state map, settings) change.
CREATE TABLE recon.canonical_mark (
    only_one boolean NOT NULL DEFAULT TRUE PRIMARY KEY CHECK (only_one),
    changed_from xid8 NOT NULL,
    cluster text NOT NULL,
    rules text NOT NULL,
    refreshed_at timestamptz NOT NULL
);

-- Stripe has no object for it: a transfer is sent at once and can be taken back, in part or in whole.
INSERT INTO recon.state_map (provider, resource, raw_status, state) VALUES
('stripe', 'transfers', 'paid', 'paid'),
('stripe', 'transfers', 'partially_reversed', 'paid'),
('stripe', 'transfers', 'reversed', 'refunded');

-- Whose a charge is: as its intent. A charge without an intent is a payment of its own.
CREATE VIEW recon.stripe_charge_links AS
SELECT
    c.account,
    c.object_id AS charge_id,
    coalesce(c.payment_intent_id, c.object_id) AS provider_ref,
    t.user_ref,
    t.payment_ref,
    t.link_evidence,
    coalesce(t.link_method, 'none') AS link_method
FROM recon.stripe_charges AS c
LEFT JOIN recon.provider_transactions AS t
    ON
        t.provider = 'stripe'
        AND c.account = t.account
        AND t.provider_ref = coalesce(c.payment_intent_id, c.object_id);

-- Whose transaction numbers these are. pg_control_system() reads a file that some servers may not open; a restart then
-- counts as another cluster, which costs one full refresh.
CREATE FUNCTION recon.cluster_name() RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT CAST(c.system_identifier AS text) FROM pg_control_system() AS c);
EXCEPTION WHEN OTHERS THEN
    RETURN CAST(pg_postmaster_start_time() AS text);
END
$$;
