-- One row of a watch over ourselves, which no report's table holds.
INSERT INTO report_rows (
    fingerprint, severity, provider, user_ref, payment_ref, amount, currency, evidence, material, withheld
)
SELECT
    md5(cast(:key AS text)) AS fingerprint,
    cast(:severity AS text) AS severity,
    e.evidence ->> 'provider' AS provider,
    e.evidence ->> 'user_id' AS user_ref,
    e.evidence ->> 'payment_id' AS payment_ref,
    cast(e.evidence ->> 'amount' AS numeric) AS amount,
    e.evidence ->> 'currency' AS currency,
    e.evidence,
    cast(:material AS text) AS material,
    FALSE AS withheld
FROM (SELECT cast(:evidence AS jsonb) AS evidence) AS e
ON CONFLICT (fingerprint) DO NOTHING;
