-- The studio pays nobody out: this is never called.
-- Parameters: payout_id, state, transfer_id (text), at (timestamptz).
UPDATE studio.receipts SET touched = cast(:at AS timestamptz)
WHERE FALSE AND cast(:payout_id AS text) = concat(cast(:state AS text), cast(:transfer_id AS text));
