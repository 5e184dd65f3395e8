-- Findings about this user, these payments or these objects of providers, the newest last.
SELECT
    f.finding_id,
    f.report,
    f.episode,
    f.severity,
    f.status,
    f.amount,
    f.currency,
    f.evidence ->> 'reason' AS reason,
    f.evidence ->> 'provider_ref' AS provider_ref,
    f.opened_at,
    f.resolved_at,
    f.resolved_by,
    f.resolution
FROM recon.findings AS f
WHERE
    (cast(:user_ref AS text) IS NOT NULL AND f.user_ref = :user_ref)
    OR f.payment_ref = any(:payments)
    OR f.evidence ->> 'provider_ref' = any(:refs)
ORDER BY f.opened_at, f.finding_id;
