-- Payouts of which the application now says something else about whose they are; new, changed or gone.
CREATE TEMPORARY TABLE changed_payouts ON COMMIT DROP AS
SELECT
    a.user_ref,
    a.provider_ref,
    k.provider_ref AS old_provider_ref,
    coalesce(a.payout_ref, k.payout_ref) AS payout_ref,
    a.payout_ref IS NULL AS is_gone
FROM (
    SELECT
        p.stripe_transfer_id AS provider_ref,
        cast(p.payout_id AS text) AS payout_ref,
        cast(p.payee_id AS text) AS user_ref
    FROM recon.app_payouts AS p
) AS a
FULL OUTER JOIN recon.link_payouts AS k ON a.payout_ref = k.payout_ref
WHERE (a.payout_ref, a.user_ref, a.provider_ref) IS DISTINCT FROM (k.payout_ref, k.user_ref, k.provider_ref);
