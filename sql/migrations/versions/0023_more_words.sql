-- Words of older versions of Stripe's API, and more of those that applications write; one that is mapped already stays.

INSERT INTO recon.state_map (provider, resource, raw_status, state) VALUES
-- Before 2019-02-11.
('stripe', 'payment_intents', 'requires_source', 'pending'),
('stripe', 'payment_intents', 'requires_source_action', 'pending'),
-- Closed because the charge was refunded: the refund tells of the money.
('stripe', 'disputes', 'charge_refunded', 'canceled'),
('app', 'app_payment', 'requires_source', 'pending'),
('app', 'app_payment', 'requires_source_action', 'pending'),
('app', 'app_payment', 'awaiting_confirmation', 'processing'),
('app', 'app_payment', 'charged', 'paid'),
('app', 'app_payment', 'overpaid', 'paid'),
('app', 'app_payment', 'payment_failed', 'failed'),
('app', 'app_payment', 'incomplete_expired', 'expired'),
('app', 'app_payment', 'timed_out', 'expired'),
('app', 'app_payment', 'timeout', 'expired'),
('app', 'app_payment', 'reversed', 'refunded'),
('app', 'app_payment', 'dispute_lost', 'refunded'),
('app', 'app_payout', 'undeliverable', 'failed'),
('app', 'app_payout', 'payout_failed', 'failed'),
('app', 'app_payout', 'complete', 'paid'),
('app', 'app_payout', 'successful', 'paid'),
('app', 'app_payout', 'settled', 'paid'),
('app', 'app_payout', 'processed', 'paid'),
('app', 'app_payout', 'paid_out', 'paid'),
('app', 'app_payout', 'finished', 'paid'),
('app', 'app_payout', 'done', 'paid'),
('app', 'app_payout', 'transferred', 'paid'),
('app', 'app_payout', 'delivered', 'paid'),
('app', 'app_payout', 'arrived', 'paid')
ON CONFLICT DO NOTHING;
