-- The studio has no bookings: nothing to lock.
-- Parameters: provider, provider_ref (text).
SELECT r.receipt_no
FROM studio.receipts AS r
WHERE FALSE AND r.gateway = :provider AND r.gateway_id = :provider_ref;
