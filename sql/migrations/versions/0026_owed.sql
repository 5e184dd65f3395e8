-- What a failed fetch leaves to be made good: no more than it was sent for and can still be read, and by ways that
-- exist.

-- From when on the provider's list could speak of its times when it was read; null: from the beginning. What a failed
-- list asked for may have left it before the next one begins.
ALTER TABLE recon.coverage ADD COLUMN reach_from timestamptz;

-- From when on a failure is owed; null: from window_from. A list may begin earlier than it was sent for, where listing
-- old open objects saves calls; the next one need not.
ALTER TABLE recon.coverage ADD COLUMN owed_from timestamptz;

-- One row an account's resource: its newest certificate, which reads complete only while no failure is outstanding.
-- Certificates of a sweep or an incremental run speak first; a resource that was only ever backfilled is judged by
-- that. A failed list is made good by later complete lists over the same times, or by a later complete sweep as long
-- as it; a failed re-read by a later complete one; what the feed can't tell by a sweep as long as that time, or by any
-- sweep and lists over the rest of that time. What has left the provider's list meanwhile nobody can read any more: it
-- is not owed, and stays a gap of recon.covered_windows.
CREATE OR REPLACE VIEW recon.coverage_standing AS
WITH known AS (
    SELECT DISTINCT
        c.provider,
        c.account,
        c.resource
    FROM recon.coverage AS c
),

modes (mode, place) AS (
    VALUES ('sweep', 0), ('incremental', 0), ('backfill', 1), ('reread', 2)
),

newest_by_mode AS (
    SELECT
        f.*,
        m.place
    FROM known AS k
    CROSS JOIN modes AS m
    CROSS JOIN LATERAL (
        SELECT c.*
        FROM recon.coverage AS c
        WHERE c.provider = k.provider AND c.account = k.account AND c.resource = k.resource AND c.mode = m.mode
        ORDER BY c.coverage_id DESC
        LIMIT 1
    ) AS f
),

newest AS (
    SELECT DISTINCT ON (b.provider, b.account, b.resource) b.*
    FROM newest_by_mode AS b
    ORDER BY b.provider ASC, b.account ASC, b.resource ASC, b.place ASC, b.coverage_id DESC
),

failed AS (
    SELECT
        c.*,
        coalesce(c.owed_from, c.window_from) AS owed_since
    FROM recon.coverage AS c
    WHERE NOT c.complete
),

outstanding AS (
    SELECT DISTINCT ON (f.provider, f.account, f.resource)
        f.provider,
        f.account,
        f.resource,
        f.error
    FROM failed AS f
    INNER JOIN newest AS n ON f.provider = n.provider AND f.account = n.account AND f.resource = n.resource
    WHERE
        (f.mode <> 'backfill' OR n.mode = 'backfill')
        AND CASE
            WHEN f.mode = 'reread'
                THEN NOT EXISTS (
                    SELECT 1
                    FROM recon.coverage AS r
                    WHERE
                        r.provider = f.provider AND r.account = f.account AND r.resource = f.resource
                        AND r.mode = 'reread' AND r.complete AND r.coverage_id > f.coverage_id
                )
            ELSE NOT EXISTS (
                SELECT 1
                FROM recon.coverage AS s
                WHERE
                    s.provider = f.provider AND s.account = f.account AND s.resource = f.resource
                    AND s.mode = 'sweep' AND s.complete AND s.coverage_id > f.coverage_id
                    AND s.window_to >= f.window_to
                    AND (
                        -- Ends are cut to whole seconds, so two rolling windows may differ by one.
                        s.window_to - s.window_from + interval '1 second' >= f.window_to - f.owed_since
                        -- Ends are set back, now more and now less, where the clock is ahead of the provider's.
                        OR s.as_of - s.window_from >= f.as_of - f.owed_since
                        OR s.window_from <= s.reach_from
                    )
            )
            AND (
                (
                    f.mode = 'feed'
                    AND NOT EXISTS (
                        SELECT 1
                        FROM recon.coverage AS w
                        WHERE
                            w.provider = f.provider AND w.account = f.account AND w.resource = f.resource
                            AND w.mode = 'sweep' AND w.complete AND w.coverage_id > f.coverage_id
                            AND w.window_to >= f.window_to
                    )
                )
                OR NOT (
                    SELECT
                        tstzrange(least(greatest(f.owed_since, max(l.reach_from)), f.window_to), f.window_to)
                        <@ coalesce(range_agg(tstzrange(l.window_from, l.window_to)), '{}')
                    FROM recon.coverage AS l
                    WHERE
                        l.provider = f.provider AND l.account = f.account AND l.resource = f.resource
                        AND l.mode IN ('backfill', 'incremental', 'sweep')
                        AND l.complete AND l.coverage_id > f.coverage_id
                        AND l.window_from <= l.window_to
                )
            )
        END
    ORDER BY f.provider ASC, f.account ASC, f.resource ASC, f.coverage_id DESC
)

SELECT
    n.coverage_id,
    n.provider,
    n.account,
    n.livemode,
    n.resource,
    n.mode,
    n.window_from,
    n.window_to,
    n.as_of,
    n.pages,
    n.objects,
    n.rows_written,
    n.rejected,
    n.run_id,
    n.started_at,
    n.finished_at,
    n.missed_by_feed,
    n.complete AND o.provider IS NULL AS complete,
    coalesce(n.error, o.error) AS error
FROM newest AS n
LEFT JOIN outstanding AS o ON n.provider = o.provider AND n.account = o.account AND n.resource = o.resource;
