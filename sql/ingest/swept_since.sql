-- Was everything that a resource's feed told between two moments read since: does a complete sweep over these times,
-- begun after them, stand with nothing outstanding?
SELECT exists(
    SELECT 1
    FROM recon.coverage_standing AS s
    INNER JOIN recon.coverage AS c ON s.provider = c.provider AND s.account = c.account AND s.resource = c.resource
    WHERE
        s.provider = :provider AND s.account = :account AND s.resource = :resource AND s.complete
        AND c.mode = 'sweep' AND c.complete
        AND c.window_from <= :told_to AND c.window_to >= :begins AND c.started_at >= :begins
) AS swept;
