-- One notification for many findings that changed at once: how many, how grave, how much money, and the gravest few.
INSERT INTO recon.notifications (dedupe_key, channel, kind, severity, body, covers, next_attempt_at, created_at)
WITH changed AS (
    SELECT
        f.*,
        array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity) AS gravity
    FROM recon.findings AS f
    WHERE f.finding_id = any(:findings)
),

severities AS (
    SELECT jsonb_object_agg(s.severity, s.findings) AS counts
    FROM (SELECT
        c.severity,
        count(*) AS findings
    FROM changed AS c GROUP BY c.severity) AS s
),

amounts AS (
    SELECT jsonb_object_agg(a.currency, cast(a.amount AS text)) AS sums
    FROM (
        SELECT
            c.currency,
            sum(c.amount) AS amount
        FROM changed AS c
        WHERE c.currency IS NOT NULL AND c.amount IS NOT NULL
        GROUP BY c.currency
    ) AS a
),

examples AS (
    SELECT jsonb_agg(e.example ORDER BY e.gravity, e.finding_id) AS gravest
    FROM (
        SELECT
            c.gravity,
            c.finding_id,
            jsonb_strip_nulls(
                jsonb_build_object(
                    'finding', c.finding_id,
                    'provider_ref', c.evidence ->> 'provider_ref',
                    'user', c.user_ref,
                    'amount', c.evidence ->> 'amount',
                    'currency', c.currency
                )
            ) AS example
        FROM changed AS c
        ORDER BY c.gravity, c.finding_id
        LIMIT :examples
    ) AS e
),

total AS (
    SELECT
        count(*) AS findings,
        array_agg(c.finding_id ORDER BY c.finding_id) AS covers,
        min(c.gravity) AS gravity
    FROM changed AS c
)

SELECT
    concat_ws(
        ':',
        'digest',
        cast(:change AS text),
        CASE WHEN :change = 'risen' THEN (ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'])[t.gravity] END,
        md5(cast(t.covers AS text))
    ) AS dedupe_key,
    '*' AS channel,
    'digest' AS kind,
    (ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'])[t.gravity] AS severity,
    cast(:frame AS jsonb) || jsonb_build_object(
        'change', cast(:change AS text),
        'severity', (ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'])[t.gravity],
        'findings', t.findings,
        'by_severity', s.counts,
        'amount_at_risk', coalesce(a.sums, '{}'),
        'examples', x.gravest
    ) AS body,
    t.covers,
    cast(:due AS timestamptz) AS next_attempt_at,
    cast(:as_of AS timestamptz) AS created_at
FROM total AS t
CROSS JOIN severities AS s
CROSS JOIN amounts AS a
CROSS JOIN examples AS x
WHERE t.findings > 0
ON CONFLICT (dedupe_key) DO NOTHING;
