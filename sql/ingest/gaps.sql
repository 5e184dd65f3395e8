-- Which creation times no complete list covers. A list read at 12:00:00.4 can't speak of the rest of that second.
WITH covered AS (
    SELECT range_agg(tstzrange(c.window_from, least(c.window_to, date_trunc('second', c.started_at)))) AS spans
    FROM recon.coverage AS c
    WHERE
        c.provider = :provider AND c.account = :account AND c.resource = :resource
        AND c.complete AND c.mode IN ('backfill', 'incremental', 'sweep')
        AND c.started_at >= :since
        AND c.window_from < :window_to AND c.window_to > :window_from
        AND c.window_from < least(c.window_to, date_trunc('second', c.started_at))
)

SELECT
    lower(g.span) AS starts,
    upper(g.span) AS ends
FROM covered AS v
CROSS JOIN
    LATERAL unnest(
        tstzmultirange(tstzrange(cast(:window_from AS timestamptz), cast(:window_to AS timestamptz)))
        - coalesce(v.spans, '{}')
    ) AS g (span)
ORDER BY starts;
