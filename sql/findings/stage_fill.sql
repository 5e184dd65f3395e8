-- Rows as JSON become rows to judge. Of two with one identity the graver counts. A row about an object that could not
-- be read is withheld, whatever else was read of its provider.
INSERT INTO report_rows (
    fingerprint, severity, provider, user_ref, payment_ref, amount, currency, evidence, material, withheld
)
SELECT DISTINCT ON (s.fingerprint)
    s.fingerprint,
    s.severity,
    s.evidence ->> 'provider' AS provider,
    s.evidence ->> 'user_id' AS user_ref,
    s.evidence ->> 'payment_id' AS payment_ref,
    cast(s.evidence ->> 'amount' AS numeric) AS amount,
    s.evidence ->> 'currency' AS currency,
    s.evidence,
    md5(cast(s.material AS text)) AS material,
    CASE
        WHEN s.evidence ->> 'provider' IS NULL THEN :any_untrusted
        ELSE s.evidence ->> 'provider' = any(:untrusted)
    END
    OR u.ref IS NOT NULL AS withheld
FROM staged_json AS s
LEFT JOIN unreadable_refs AS u
    ON u.provider = s.evidence ->> 'provider' AND u.ref = s.evidence ->> 'provider_ref'
ORDER BY
    s.fingerprint ASC,
    array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], s.severity) ASC,
    s.evidence ASC;
