-- What a person resolved was kept from reopening while its row stood there unchanged. The row is gone: should it come
-- back, that is a new episode.
UPDATE recon.findings AS f
SET settled = NULL
WHERE
    f.report = :report
    AND f.settled IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM report_rows AS r WHERE r.fingerprint = f.fingerprint)
    AND NOT EXISTS (
        SELECT 1 FROM unreadable_refs AS u
        WHERE u.provider = f.provider AND u.ref = f.evidence ->> 'provider_ref'
    )
    AND NOT CASE WHEN f.provider IS NULL THEN :any_untrusted ELSE f.provider = any(:untrusted) END;
