-- Applications that sell by invoices know the invoice, and often not the payment: at NOWPayments there is none before
-- the payer has chosen a coin, at Stripe the invoice makes it.

ALTER TABLE recon.nowpayments_payments ADD COLUMN invoice_id text;
-- What is stored was read without it: the next full list writes it again.
UPDATE recon.nowpayments_payments SET digest = 0;

ALTER TABLE recon.stripe_payment_intents ADD COLUMN invoice_id text;
