-- Rows without a live finding open one: the first episode, or the next after one that was resolved. One that a person
-- resolved stays so while its row is there unchanged and no graver. One that is back soon after it was resolved by
-- itself goes on in the thread of the episode before it, for a day at most.
INSERT INTO recon.findings (
    report, fingerprint, episode, status, severity, provider, user_ref, payment_ref, amount, currency, action,
    evidence, material, found_evidence, found_severity, coverage_ids, run_id, thread_id, opened_at, last_seen_at,
    times_seen
)
SELECT
    cast(:report AS text) AS report,
    r.fingerprint,
    coalesce(l.episode, 0) + 1 AS episode,
    'open' AS status,
    r.severity,
    r.provider,
    r.user_ref,
    r.payment_ref,
    r.amount,
    r.currency,
    cast(:action AS text) AS action,
    r.evidence,
    r.material,
    r.evidence AS found_evidence,
    r.severity AS found_severity,
    array(
        SELECT cast(c.value AS bigint)
        FROM jsonb_array_elements_text(cast(:certificates AS jsonb) -> coalesce(r.provider, '*')) AS c (value)
    ) AS coverage_ids,
    cast(:run_id AS text) AS run_id,
    CASE
        WHEN
            l.resolved_how <> 'person'
            AND l.resolved_at > cast(:as_of AS timestamptz) - cast(:flap_window AS interval)
            AND h.opened_at > cast(:as_of AS timestamptz) - cast(:thread_most AS interval)
            THEN h.finding_id
    END AS thread_id,
    cast(:as_of AS timestamptz) AS opened_at,
    cast(:as_of AS timestamptz) AS last_seen_at,
    1 AS times_seen
FROM report_rows AS r
LEFT JOIN recon.findings AS f
    ON r.fingerprint = f.fingerprint AND f.report = :report AND f.status <> 'resolved'
LEFT JOIN LATERAL (
    SELECT e.*
    FROM recon.findings AS e
    WHERE e.report = :report AND e.fingerprint = r.fingerprint
    ORDER BY e.episode DESC
    LIMIT 1
) AS l ON TRUE
LEFT JOIN recon.findings AS h ON coalesce(l.thread_id, l.finding_id) = h.finding_id
WHERE
    f.finding_id IS NULL
    AND NOT r.withheld
    AND NOT (
        coalesce(l.settled = r.material, FALSE)
        AND array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], r.severity)
        >= array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], l.severity)
    )
ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], r.severity), r.fingerprint
RETURNING finding_id, episode, thread_id;
