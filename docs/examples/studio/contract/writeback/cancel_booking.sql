-- The studio has no bookings: this is never called.
-- Parameters: booking_id, reason (text), at (timestamptz).
UPDATE studio.receipts SET touched = cast(:at AS timestamptz)
WHERE FALSE AND cast(:booking_id AS text) = cast(:reason AS text);
