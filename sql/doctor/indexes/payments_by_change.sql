-- app_payments by updated_at: the activation probe asks each few seconds what changed.
SELECT 1 AS found FROM recon.app_payments AS p WHERE p.updated_at > cast('2026-01-01' AS timestamptz);
