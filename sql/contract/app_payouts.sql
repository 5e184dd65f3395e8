-- Contract: money sent on to payees.
CREATE VIEW recon.app_payouts AS
SELECT
    p.id AS payout_id,
    p.payee_id,
    p.booking_id,
    p.amount,
    p.method,
    p.stripe_transfer_id,
    p.paypal_batch_id,
    p.error,
    p.created_at,
    p.paid_at,
    p.updated_at,
    upper(btrim(p.currency)) AS currency,
    lower(btrim(p.status)) AS status
FROM public.payouts AS p;
