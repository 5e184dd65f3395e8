-- Live findings whose row is gone are over, where the provider was read well enough to say so, and the object itself.
UPDATE recon.findings AS f
SET
    status = 'resolved',
    resolved_at = :as_of,
    resolved_by = 'reconciliation',
    resolution = 'No longer found by the reconciliation.'
WHERE
    f.report = :report
    AND f.status <> 'resolved'
    AND NOT EXISTS (SELECT 1 FROM report_rows AS r WHERE r.fingerprint = f.fingerprint)
    AND NOT EXISTS (
        SELECT 1 FROM unreadable_refs AS u
        WHERE u.provider = f.provider AND u.ref = f.evidence ->> 'provider_ref'
    )
    AND NOT CASE WHEN f.provider IS NULL THEN :any_untrusted ELSE f.provider = any(:untrusted) END
RETURNING f.finding_id;
