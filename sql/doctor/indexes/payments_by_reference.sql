-- app_payments by provider and provider_ref: every comparison of both sides starts there.
SELECT 1 AS found FROM recon.app_payments AS p WHERE p.provider = 'stripe' AND p.provider_ref = 'pi_1';
