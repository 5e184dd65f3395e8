-- Who sells by NOWPayments' invoices knows the invoice, and the payment only once the payer has chosen a coin.

ALTER TABLE recon.nowpayments_payments ADD COLUMN invoice_id text;
-- What is stored was read without it: the next full list writes it again.
UPDATE recon.nowpayments_payments SET digest = 0;
