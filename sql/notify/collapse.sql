-- One digest in place of many messages that wait: of the findings that are live by now, and how many are over again.
WITH gathered AS (
    UPDATE recon.notifications AS n
    SET state = 'superseded'
    WHERE n.notification_id = any(:notifications) AND n.state = 'pending'
    RETURNING n.notification_id, n.channel, n.finding_id, n.body, n.created_at
),

frame AS (
    SELECT
        g.body - ARRAY[
            'evidence', 'finding_id', 'episode', 'opened_at', 'status', 'resolution', 'resolved_at', 'resolved_how',
            'handled_by', 'handled_reason', 'snoozed_until'
        ] AS body
    FROM gathered AS g
    ORDER BY g.notification_id DESC
    LIMIT 1
),

findings AS (
    SELECT
        f.finding_id,
        f.severity,
        f.amount,
        f.currency,
        f.user_ref,
        f.evidence,
        f.status <> 'resolved' AS live,
        array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], f.severity) AS gravity
    FROM recon.findings AS f
    WHERE f.finding_id IN (SELECT g.finding_id FROM gathered AS g)
),

told AS (
    SELECT f.*
    FROM findings AS f
    WHERE f.live OR NOT EXISTS (SELECT 1 FROM findings AS l WHERE l.live)
),

total AS (
    SELECT
        count(*) AS findings,
        bool_or(t.live) AS live,
        (ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'])[min(t.gravity)] AS severity
    FROM told AS t
)

INSERT INTO recon.notifications (dedupe_key, channel, kind, severity, body, covers, next_attempt_at, created_at)
SELECT
    concat_ws(
        ':', g.channel, 'backlog', md5(cast(array_agg(g.notification_id ORDER BY g.notification_id) AS text))
    ) AS dedupe_key,
    g.channel,
    'digest' AS kind,
    t.severity,
    f.body || jsonb_build_object(
        'change', CASE WHEN t.live THEN 'opened' ELSE 'resolved' END,
        'severity', t.severity,
        'findings', t.findings,
        'over_again', (SELECT count(*) FROM findings AS o WHERE NOT o.live AND t.live),
        'waiting_since', min(g.created_at),
        'by_severity', (
            SELECT jsonb_object_agg(s.severity, s.findings)
            FROM (SELECT
                x.severity,
                count(*) AS findings
            FROM told AS x GROUP BY x.severity) AS s
        ),
        'amount_at_risk', coalesce(
            (
                SELECT jsonb_object_agg(a.currency, cast(a.amount AS text))
                FROM (
                    SELECT
                        x.currency,
                        sum(x.amount) AS amount
                    FROM told AS x
                    WHERE x.currency IS NOT NULL AND x.amount IS NOT NULL
                    GROUP BY x.currency
                ) AS a
            ),
            '{}'
        ),
        'examples', (
            SELECT jsonb_agg(e.example ORDER BY e.gravity, e.finding_id)
            FROM (
                SELECT
                    x.gravity,
                    x.finding_id,
                    jsonb_strip_nulls(
                        jsonb_build_object(
                            'finding', x.finding_id,
                            'provider_ref', x.evidence ->> 'provider_ref',
                            'user', x.user_ref,
                            'amount', x.evidence ->> 'amount',
                            'currency', x.currency
                        )
                    ) AS example
                FROM told AS x
                ORDER BY x.gravity, x.finding_id
                LIMIT :examples
            ) AS e
        )
    ) AS body,
    (SELECT array_agg(c.finding_id ORDER BY c.finding_id) FROM findings AS c) AS covers,
    cast(:now AS timestamptz) AS next_attempt_at,
    cast(:now AS timestamptz) AS created_at
FROM gathered AS g
CROSS JOIN frame AS f
CROSS JOIN total AS t
WHERE t.findings > 0
GROUP BY g.channel, f.body, t.severity, t.findings, t.live
ON CONFLICT (dedupe_key) DO NOTHING;
