-- Users that are new or gone, or whose Stripe customer is another now.
CREATE TEMPORARY TABLE changed_users ON COMMIT DROP AS
SELECT
    a.customer_ref,
    k.customer_ref AS old_customer_ref,
    coalesce(a.user_ref, k.user_ref) AS user_ref,
    a.user_ref IS NULL AS is_gone
FROM (
    SELECT
        cast(u.user_id AS text) AS user_ref,
        u.stripe_customer_id AS customer_ref
    FROM recon.app_users AS u
) AS a
FULL OUTER JOIN recon.link_users AS k ON a.user_ref = k.user_ref
WHERE (a.user_ref, a.customer_ref) IS DISTINCT FROM (k.user_ref, k.customer_ref);
