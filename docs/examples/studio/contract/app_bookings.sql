-- Contract: the studio has no bookings. An empty view keeps the reports about bookings quiet.
CREATE VIEW recon.app_bookings AS
SELECT
    cast(NULL AS bigint) AS booking_id,
    cast(NULL AS uuid) AS user_id,
    cast(NULL AS uuid) AS payee_id,
    cast(NULL AS timestamptz) AS starts_at,
    cast(NULL AS timestamptz) AS ends_at,
    cast(NULL AS timestamptz) AS actual_start,
    cast(NULL AS text) AS status,
    cast(NULL AS numeric) AS price,
    cast(NULL AS text) AS currency,
    cast(NULL AS text) AS cancelled_by,
    cast(NULL AS text) AS cancel_reason,
    cast(NULL AS timestamptz) AS updated_at
WHERE FALSE;
