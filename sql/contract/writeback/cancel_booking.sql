-- Cancels a booking in the name of the system. Changes exactly one row.
-- Parameters: booking_id, reason (text), at (timestamptz, now).
UPDATE public.bookings
SET
    status = 'cancelled',
    cancelled_by = 'system',
    cancel_reason = :reason,
    updated_at = cast(:at AS timestamptz)
WHERE id = cast(:booking_id AS bigint);
