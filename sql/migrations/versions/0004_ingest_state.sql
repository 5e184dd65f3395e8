-- How far each way in has come, and what the certificates of all fetches together are worth.

-- Changes that the sweep found and the provider's feed had never told; null where there is no feed, or no sweep.
ALTER TABLE recon.coverage ADD COLUMN missed_by_feed integer;
-- feed: what the feed can't tell any longer; its window is of times of change, not of creation.
ALTER TABLE recon.coverage DROP CONSTRAINT coverage_mode_check;
ALTER TABLE recon.coverage ADD CONSTRAINT coverage_mode_check
CHECK (mode IN ('backfill', 'incremental', 'sweep', 'reread', 'feed'));
CREATE INDEX coverage_by_mode ON recon.coverage (provider, account, resource, mode, coverage_id DESC);
CREATE INDEX coverage_incomplete ON recon.coverage (provider, account, resource, coverage_id) WHERE NOT complete;
CREATE INDEX coverage_windows ON recon.coverage (provider, account, resource, window_to) WHERE complete;

-- Up to where the incremental way has come. listed_to: everything created before was listed. told_to: every change that
-- the feed told of before was read. Both only move forward.
CREATE TABLE recon.watermarks (
    provider text NOT NULL,
    account text NOT NULL,
    resource text NOT NULL,
    listed_to timestamptz,
    told_to timestamptz,
    run_id text,
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (provider, account, resource)
);

-- Events whose objects were read again, for as long as the overlap of the next readings shows them again.
CREATE TABLE recon.feed_events (
    provider text NOT NULL,
    account text NOT NULL,
    resource text NOT NULL,
    event_id text NOT NULL,
    object_id text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (provider, account, resource, event_id, object_id)
);
CREATE INDEX feed_events_age ON recon.feed_events (provider, account, resource, at);

-- Backfills. One that has not finished is taken up again where it stopped: what was certified since it began is done.
CREATE TABLE recon.backfills (
    backfill_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    account text NOT NULL,
    resource text NOT NULL,
    window_from timestamptz NOT NULL,
    window_to timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    run_id text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK (window_from < window_to)
);
CREATE UNIQUE INDEX backfills_under_way ON recon.backfills (provider, account, resource, window_from, window_to)
WHERE finished_at IS NULL;

-- What is still open, and what was created when, is asked at every run.
CREATE INDEX stripe_payment_intents_created ON recon.stripe_payment_intents (account, created_at);
CREATE INDEX stripe_payment_intents_status ON recon.stripe_payment_intents (account, status);
CREATE INDEX stripe_refunds_created ON recon.stripe_refunds (account, created_at);
CREATE INDEX stripe_refunds_status ON recon.stripe_refunds (account, status);
CREATE INDEX nowpayments_payments_created ON recon.nowpayments_payments (account, created_at);
CREATE INDEX nowpayments_payments_status ON recon.nowpayments_payments (account, status);
CREATE INDEX okx_deposits_created ON recon.okx_deposits (account, created_at);
CREATE INDEX okx_deposits_status ON recon.okx_deposits (account, status);

-- One row an account's resource: its newest certificate, which reads complete only while no failure is outstanding.
-- Certificates of a sweep or an incremental run speak first; a resource that was only ever backfilled is judged by
-- that. A failed list is made good by later complete lists over the same times, or by a later complete sweep as long
-- as it; a failed re-read by a later complete one; what the feed can't tell by a sweep alone.
CREATE VIEW recon.coverage_standing AS
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

outstanding AS (
    SELECT DISTINCT ON (f.provider, f.account, f.resource)
        f.provider,
        f.account,
        f.resource,
        f.error
    FROM recon.coverage AS f
    INNER JOIN newest AS n ON f.provider = n.provider AND f.account = n.account AND f.resource = n.resource
    WHERE
        NOT f.complete
        AND (f.mode <> 'backfill' OR n.mode = 'backfill')
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
                    -- Ends are cut to whole seconds, so two rolling windows may differ by one.
                    AND s.window_to - s.window_from + interval '1 second' >= f.window_to - f.window_from
            )
            AND (
                f.mode = 'feed'
                OR NOT tstzrange(least(f.window_from, f.window_to), f.window_to) <@ (
                    SELECT coalesce(range_agg(tstzrange(l.window_from, l.window_to)), '{}')
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
