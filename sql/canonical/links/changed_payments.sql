-- Payments of which the application now says something else about whose they are; new, changed or gone.
CREATE TEMPORARY TABLE changed_payments ON COMMIT DROP AS
SELECT
    a.user_ref,
    a.provider,
    a.provider_ref,
    a.tx_hash,
    k.provider AS old_provider,
    k.provider_ref AS old_provider_ref,
    k.tx_hash AS old_tx_hash,
    coalesce(a.payment_ref, k.payment_ref) AS payment_ref,
    a.payment_ref IS NULL AS is_gone
FROM (
    SELECT
        p.provider,
        p.provider_ref,
        p.tx_hash,
        cast(p.payment_id AS text) AS payment_ref,
        cast(p.user_id AS text) AS user_ref
    FROM recon.app_payments AS p
) AS a
FULL OUTER JOIN recon.link_payments AS k ON a.payment_ref = k.payment_ref
WHERE
    (a.payment_ref, a.user_ref, a.provider, a.provider_ref, a.tx_hash)
    IS DISTINCT FROM (k.payment_ref, k.user_ref, k.provider, k.provider_ref, k.tx_hash);
