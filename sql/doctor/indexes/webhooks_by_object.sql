-- app_webhook_logs by object_ref (the expression of the view): what the inbox holds of a provider's object.
SELECT 1 AS found FROM recon.app_webhook_logs AS w WHERE w.object_ref = 'pi_1';
