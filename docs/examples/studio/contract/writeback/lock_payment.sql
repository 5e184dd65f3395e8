-- Locks the receipts of one payment until the transaction ends.
-- Parameters: provider, provider_ref (text).
SELECT r.receipt_no
FROM studio.receipts AS r
WHERE r.gateway = :provider AND r.gateway_id = :provider_ref
ORDER BY r.receipt_no
FOR UPDATE;
