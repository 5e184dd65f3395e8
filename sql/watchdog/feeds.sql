-- When was each provider's account last read in full: of its resources, the one for which that is longest ago? What has
-- not been tried for a day longer than the provider's newest is retired.
WITH tried AS (
    SELECT
        s.provider,
        s.account,
        s.resource,
        s.finished_at,
        max(s.finished_at) OVER (PARTITION BY s.provider) AS newest
    FROM recon.coverage_standing AS s
)

SELECT DISTINCT ON (t.provider, t.account)
    t.provider,
    t.account,
    t.resource,
    c.finished_at AS read_at
FROM tried AS t
LEFT JOIN LATERAL (
    SELECT k.finished_at
    FROM recon.coverage AS k
    WHERE
        k.provider = t.provider
        AND k.account = t.account
        AND k.resource = t.resource
        AND k.complete
        AND k.mode IN ('sweep', 'incremental', 'backfill')
    ORDER BY k.coverage_id DESC
    LIMIT 1
) AS c ON TRUE
WHERE t.finished_at > t.newest - interval '1 day'
ORDER BY t.provider ASC, t.account ASC, c.finished_at ASC NULLS FIRST;
