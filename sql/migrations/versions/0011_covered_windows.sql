-- Where absence can be proven, and the few suspects of the reports on states and money by index.

-- Accounts that were ever read. An account in test mode beside one in live mode holds no money: is_money is false. The
-- account "unidentified", of a fetch that ended before the provider said who we are, stands here until a later run got
-- an answer: for so long nobody knows what is missing.
CREATE VIEW recon.known_accounts AS
WITH newest AS (
    SELECT DISTINCT ON (c.provider, c.account)
        c.provider,
        c.account,
        c.livemode,
        c.coverage_id,
        c.run_id
    FROM recon.coverage AS c
    ORDER BY c.provider ASC, c.account ASC, c.coverage_id DESC
)

SELECT
    n.provider,
    n.account,
    n.livemode,
    n.account = 'unidentified'
    OR n.livemode
    OR NOT bool_or(n.livemode AND n.account <> 'unidentified') OVER (PARTITION BY n.provider) AS is_money
FROM newest AS n
WHERE
    n.account <> 'unidentified'
    OR NOT EXISTS (
        SELECT 1
        FROM newest AS l
        WHERE
            l.provider = n.provider AND l.account <> 'unidentified' AND l.coverage_id > n.coverage_id
            AND (l.run_id IS DISTINCT FROM n.run_id OR n.run_id IS NULL)
    );

-- Times of creation of which everything was read: unbroken stretches of complete lists. A list read at 12:00:00.4
-- can't speak of the rest of that second. Re-reads of single objects and the feed cover nothing.
CREATE VIEW recon.covered_windows AS
WITH covered AS (
    SELECT
        c.provider,
        c.account,
        c.livemode,
        c.resource,
        range_agg(tstzrange(c.window_from, least(c.window_to, date_trunc('second', c.started_at)))) AS spans
    FROM recon.coverage AS c
    WHERE
        c.complete
        AND c.mode IN ('backfill', 'incremental', 'sweep')
        AND c.window_from < least(c.window_to, date_trunc('second', c.started_at))
    GROUP BY c.provider, c.account, c.livemode, c.resource
)

SELECT
    v.provider,
    v.account,
    v.livemode,
    v.resource,
    lower(g.span) AS covered_from,
    upper(g.span) AS covered_to
FROM covered AS v
CROSS JOIN LATERAL unnest(v.spans) AS g (span);

-- Money that no payment of the application is linked to, and what is not ours: both few.
CREATE INDEX provider_transactions_orphans ON recon.provider_transactions (state_changed_at)
WHERE
kind = 'payment' AND payment_ref IS NULL AND link_method <> 'foreign'
AND state IN ('paid', 'authorized', 'partially_paid', 'processing');
CREATE INDEX provider_transactions_foreign ON recon.provider_transactions (provider_created_at)
WHERE link_method = 'foreign';
-- What the provider no longer has, and test money: no proof that a payment exists.
CREATE INDEX provider_transactions_vanished ON recon.provider_transactions (provider, provider_ref)
WHERE vanished_at IS NOT NULL;
CREATE INDEX provider_transactions_test ON recon.provider_transactions (provider, provider_ref) WHERE NOT livemode;
-- Events of the last days.
CREATE INDEX provider_transactions_refunds ON recon.provider_transactions (provider_created_at) WHERE kind = 'refund';
CREATE INDEX provider_transactions_ended ON recon.provider_transactions (state, state_changed_at)
WHERE kind = 'payment' AND state IN ('failed', 'canceled', 'refunded');
CREATE INDEX stripe_payment_intents_declined ON recon.stripe_payment_intents (greatest(created_at, charge_created_at))
WHERE status = 'requires_payment_method';
CREATE INDEX stripe_events_outcomes ON recon.stripe_events (created_at)
WHERE type IN ('charge.dispute.closed', 'refund.failed');
