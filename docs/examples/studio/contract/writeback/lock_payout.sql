-- The studio pays nobody out: nothing to lock.
-- Parameters: payout_id, provider_ref (text).
SELECT r.receipt_no
FROM studio.receipts AS r
WHERE FALSE AND cast(:payout_id AS text) = cast(:provider_ref AS text);
