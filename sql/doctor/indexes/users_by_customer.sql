-- app_users by stripe_customer_id: objects without a reference are linked by their customer.
SELECT 1 AS found FROM recon.app_users AS u WHERE u.stripe_customer_id = 'cus_1';
