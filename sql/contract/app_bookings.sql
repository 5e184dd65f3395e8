-- Contract: paid services between two users.
CREATE VIEW recon.app_bookings AS
SELECT
    b.id AS booking_id,
    b.customer_id AS user_id,
    b.provider_id AS payee_id,
    b.starts_at,
    b.ends_at,
    b.actual_start,
    b.price,
    b.cancelled_by,
    b.cancel_reason,
    b.updated_at,
    lower(btrim(b.status)) AS status,
    upper(btrim(b.currency)) AS currency
FROM public.bookings AS b;
