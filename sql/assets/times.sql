-- How long does it take to detect what happened, and to resolve what was found? Over what was opened, or resolved,
-- since then. Detected: from when the row says that it happened, for what happened after the report's first run;
-- what is older could not be found sooner.
WITH happened AS (
    SELECT
        f.opened_at,
        f.report,
        coalesce(
            f.found_evidence ->> 'paid_at',
            f.found_evidence ->> 'came_at',
            f.found_evidence ->> 'failed_at',
            f.found_evidence ->> 'refunded_at',
            f.found_evidence ->> 'returned_at',
            f.found_evidence ->> 'canceled_at',
            f.found_evidence ->> 'expired_at',
            f.found_evidence ->> 'created_at'
        ) AS at
    FROM recon.findings AS f
    WHERE f.opened_at > :since AND f.episode = 1
),

detected AS (
    SELECT h.opened_at - cast(h.at AS timestamptz) AS span
    FROM happened AS h
    INNER JOIN LATERAL (
        SELECT r.as_of FROM recon.report_runs AS r
        WHERE r.report = h.report
        ORDER BY r.report_run_id
        LIMIT 1
    ) AS first ON cast(h.at AS timestamptz) > first.as_of
    WHERE h.at ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d'
),

resolved AS (
    SELECT f.resolved_at - f.opened_at AS span
    FROM recon.findings AS f
    WHERE f.status = 'resolved' AND f.resolved_at > :since
)

SELECT
    (SELECT count(*) FROM detected) AS detected,
    (SELECT extract(EPOCH FROM avg(d.span)) FROM detected AS d) AS to_detect,
    (SELECT count(*) FROM resolved) AS resolved,
    (SELECT extract(EPOCH FROM avg(r.span)) FROM resolved AS r) AS to_resolve;
