-- Locks one receipt until the transaction ends.
-- Parameter: payment_id (text).
SELECT r.receipt_no
FROM studio.receipts AS r
WHERE r.receipt_no = cast(:payment_id AS bigint)
FOR UPDATE;
