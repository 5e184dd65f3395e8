-- Contract: the application's own record of each payment. provider is stripe, nowpayments, okx or what the
-- application calls it; status stays as the application wrote it, recon.state_map gives its canonical state.
-- amount is in major units. Ids and hashes are as they are compared: without blanks round them, hexadecimal hashes in
-- lower case and without 0x.
CREATE VIEW recon.app_payments AS
SELECT
    t.id AS payment_id,
    t.user_id,
    t.plan_id,
    t.booking_id,
    lower(btrim(t.status)) AS status,
    t.amount,
    t.deposit_address,
    t.deposit_tag,
    t.network,
    t.received_amount,
    t.created_at,
    t.expires_at,
    t.confirmed_at,
    t.updated_at,
    recon.plain_reference(t.transaction_id) AS provider_ref,
    lower(btrim(t.payment_method)) AS provider,
    upper(btrim(t.currency)) AS currency,
    -- Some keep no coins of their own for a deposit: the price is in coins then, or in dollars for a coin that is one.
    CASE
        WHEN t.crypto_currency IS NOT NULL THEN upper(btrim(t.crypto_currency))
        WHEN lower(btrim(t.payment_method)) = 'okx' AND length(btrim(t.currency)) > 3 THEN upper(btrim(t.currency))
    END AS crypto_currency,
    CASE
        WHEN t.crypto_amount IS NOT NULL OR lower(btrim(t.payment_method)) <> 'okx' THEN t.crypto_amount
        WHEN t.crypto_currency IS NULL THEN CASE WHEN length(btrim(t.currency)) > 3 THEN t.amount END
        WHEN upper(btrim(t.currency)) = upper(btrim(t.crypto_currency)) THEN t.amount
        WHEN upper(btrim(t.currency)) = 'USD' AND upper(btrim(t.crypto_currency)) IN ('USDT', 'USDC') THEN t.amount
    END AS crypto_amount,
    recon.plain_reference(t.tx_hash) AS tx_hash
FROM public.payment_transactions AS t;
