-- What applications write beside the common words, and the few suspects of it by index.

-- Providers that hold real money: what is in test mode there is none.
CREATE VIEW recon.live_providers AS
SELECT DISTINCT k.provider
FROM recon.known_accounts AS k
WHERE k.livemode AND k.account <> 'unidentified';

INSERT INTO recon.state_map (provider, resource, raw_status, state) VALUES
('app', 'app_payment', 'initiated', 'pending'),
('app', 'app_payment', 'unpaid', 'pending'),
('app', 'app_payment', 'incomplete', 'pending'),
('app', 'app_payment', 'awaiting_payment', 'pending'),
('app', 'app_payment', 'pending_payment', 'pending'),
('app', 'app_payment', 'in_progress', 'processing'),
('app', 'app_payment', 'uncaptured', 'authorized'),
('app', 'app_payment', 'complete', 'paid'),
('app', 'app_payment', 'success', 'paid'),
('app', 'app_payment', 'successful', 'paid'),
('app', 'app_payment', 'settled', 'paid'),
('app', 'app_payment', 'partial_refund', 'paid'),
('app', 'app_payment', 'underpaid', 'partially_paid'),
('app', 'app_payment', 'declined', 'failed'),
('app', 'app_payment', 'denied', 'failed'),
('app', 'app_payment', 'rejected', 'failed'),
('app', 'app_payment', 'failure', 'failed'),
('app', 'app_payment', 'error', 'failed'),
('app', 'app_payment', 'void', 'canceled'),
('app', 'app_payment', 'voided', 'canceled'),
('app', 'app_payment', 'abandoned', 'canceled'),
('app', 'app_payment', 'fully_refunded', 'refunded'),
('app', 'app_payment', 'charged_back', 'refunded'),
('app', 'app_payment', 'chargeback', 'refunded'),
-- What became of money sent on to payees; whatever is not here is under way.
('app', 'app_payout', 'failed', 'failed'),
('app', 'app_payout', 'failure', 'failed'),
('app', 'app_payout', 'error', 'failed'),
('app', 'app_payout', 'rejected', 'failed'),
('app', 'app_payout', 'declined', 'failed'),
('app', 'app_payout', 'denied', 'failed'),
('app', 'app_payout', 'blocked', 'failed'),
('app', 'app_payout', 'bounced', 'failed'),
('app', 'app_payout', 'returned', 'failed'),
('app', 'app_payout', 'unclaimed', 'failed'),
('app', 'app_payout', 'expired', 'failed'),
('app', 'app_payout', 'reversed', 'failed'),
('app', 'app_payout', 'refunded', 'failed'),
('app', 'app_payout', 'canceled', 'canceled'),
('app', 'app_payout', 'cancelled', 'canceled'),
('app', 'app_payout', 'paid', 'paid'),
('app', 'app_payout', 'completed', 'paid'),
('app', 'app_payout', 'succeeded', 'paid'),
('app', 'app_payout', 'success', 'paid'),
('app', 'app_payout', 'sent', 'paid'),
('app', 'app_payout', 'partially_reversed', 'paid'),
('app', 'app_payout', 'partially_paid', 'paid')
ON CONFLICT DO NOTHING;

-- By the charge alone, for applications that store its id in place of the payment's; no larger than before.
DROP INDEX recon.stripe_payment_intents_charge;
CREATE INDEX stripe_payment_intents_charge ON recon.stripe_payment_intents (charge_id, account)
WHERE charge_id IS NOT NULL;
-- Disputes that took the money.
CREATE INDEX stripe_disputes_lost ON recon.stripe_disputes (account, payment_intent_id) WHERE status = 'lost';
