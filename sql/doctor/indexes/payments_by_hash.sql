-- app_payments by tx_hash: deposits find their payment by it.
SELECT 1 AS found FROM recon.app_payments AS p WHERE p.tx_hash = '0x1';
