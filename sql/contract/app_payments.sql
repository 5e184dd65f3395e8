-- Contract: the application's own record of each payment. provider is stripe, nowpayments, okx or what the
-- application calls it; status stays as the application wrote it, recon.state_map gives its canonical state.
-- amount is in major units.
CREATE VIEW recon.app_payments AS
SELECT
    t.id AS payment_id,
    t.user_id,
    t.plan_id,
    t.booking_id,
    lower(t.status) AS status,
    t.amount,
    t.crypto_amount,
    t.deposit_address,
    t.deposit_tag,
    t.network,
    t.tx_hash,
    t.received_amount,
    t.created_at,
    t.expires_at,
    t.confirmed_at,
    t.updated_at,
    t.transaction_id AS provider_ref,
    lower(btrim(t.payment_method)) AS provider,
    upper(t.currency) AS currency,
    upper(t.crypto_currency) AS crypto_currency
FROM public.payment_transactions AS t;
