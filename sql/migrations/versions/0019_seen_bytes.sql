-- The hash of an object's own bytes as a list brought them when its row was written. An object that comes with the
-- same bytes again is not parsed. Other bytes mean nothing: the digest decides whether the object changed.
-- Null: written from a reading of this object alone, whose white space differs.
ALTER TABLE recon.stripe_payment_intents ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_refunds ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_charges ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_disputes ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_payouts ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_transfers ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_balance_transactions ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_checkout_sessions ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_subscriptions ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_customers ADD COLUMN seen bigint;
ALTER TABLE recon.stripe_events ADD COLUMN seen bigint;

-- Objects of a list that could not be read: what is stored of them was not confirmed.
ALTER TABLE recon.confirmations ADD COLUMN rejected text[] NOT NULL DEFAULT '{}';
