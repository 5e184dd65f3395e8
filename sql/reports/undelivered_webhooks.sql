/*---
title: Events that never reached the inbox
why: >-
  The provider's own list of events holds something that the application was never told: the endpoint was down, the
  answer was lost, or the provider gave up. Nobody notices, since nothing fails.
severity: HIGH
what_to_do: >-
  Have the provider send the event again (Stripe: dashboard or CLI, for 30 days). Where many are listed, look for the
  time when the endpoint was down or was taken out of the subscription.
key: [provider, event_ref]
coverage:
  stripe: [events]
unconfigured: withhold
params:
  grace_seconds: 900
  window_days: 30
action: null
columns:
  provider: Who tells it.
  event_ref: The provider's id of the event.
  webhook_type: What it tells, in the provider's words.
  provider_ref: The provider's id of what it is about.
  payment_id: The application's id of the payment, where known.
  user_id: The payer, where known.
  username: The payer's name in the application.
  amount: Of the payment, in major units, where known.
  currency: Currency of the amount.
  created_at: When it happened at the provider (UTC).
  pending_webhooks: Deliveries that the provider still counts as pending.
  reason: Why it is listed.
---*/
-- Judged only where the inbox keeps ids of events or objects, and only types that the application listens to: the inbox
-- received that type within the window, or the provider counts a delivery as pending. Without a pending delivery an
-- event from before the inbox's first record is not judged, since the inbox may be pruned. Another product's objects
-- (foreign) are not ours. An event is delivered when the inbox has its id, or, where the inbox's row names no event of
-- the feed, the same type about the same object or payment; how the inbox fared with it is failed_webhooks' matter.
WITH heard AS (
    SELECT
        w.webhook_type,
        w.event_ref,
        w.object_ref,
        w.payment_id,
        w.created_at
    FROM recon.app_webhook_logs AS w
    WHERE
        w.provider = 'stripe'
        AND w.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND w.created_at <= cast(:as_of AS timestamptz)
),

recognisable AS (
    SELECT min(h.created_at) AS since
    FROM heard AS h
    WHERE h.event_ref IS NOT NULL OR h.object_ref IS NOT NULL
    HAVING count(*) > 0
),

subscribed AS (
    SELECT DISTINCT lower(h.webhook_type) AS webhook_type
    FROM heard AS h
    WHERE h.event_ref IS NOT NULL OR h.object_ref IS NOT NULL
),

unheard AS (
    SELECT
        e.object_id AS event_ref,
        e.type AS webhook_type,
        e.subject_id AS provider_ref,
        e.created_at,
        e.pending_webhooks
    FROM recon.stripe_events AS e
    CROSS JOIN recognisable AS r
    LEFT JOIN subscribed AS s ON lower(e.type) = s.webhook_type
    LEFT JOIN heard AS h ON e.object_id = h.event_ref
    WHERE
        h.event_ref IS NULL
        AND e.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND e.created_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        AND e.vanished_at IS NULL
        AND (e.pending_webhooks > 0 OR (s.webhook_type IS NOT NULL AND e.created_at >= r.since))
),

nameless AS (
    -- Rows of the inbox that name no event of the feed, by what they are about; of those that may have been lost.
    SELECT
        h.object_ref AS provider_ref,
        lower(h.webhook_type) AS webhook_type
    FROM unheard AS n
    INNER JOIN heard AS h ON n.provider_ref = h.object_ref
    LEFT JOIN recon.stripe_events AS e ON h.event_ref = e.object_id
    WHERE e.object_id IS NULL
    UNION
    SELECT
        p.provider_ref,
        lower(h.webhook_type) AS webhook_type
    FROM unheard AS n
    INNER JOIN recon.app_payments AS p ON n.provider_ref = p.provider_ref
    INNER JOIN heard AS h ON p.payment_id = h.payment_id
    LEFT JOIN recon.stripe_events AS e ON h.event_ref = e.object_id
    WHERE p.provider = 'stripe' AND e.object_id IS NULL AND h.object_ref IS NULL
),

lost AS (
    SELECT
        n.event_ref,
        n.webhook_type,
        n.provider_ref,
        n.created_at,
        n.pending_webhooks,
        t.amount,
        t.currency,
        t.payment_ref,
        t.user_ref,
        row_number() OVER (PARTITION BY n.event_ref ORDER BY t.read_at DESC NULLS LAST, t.kind ASC) AS choice
    FROM unheard AS n
    LEFT JOIN nameless AS b ON n.provider_ref = b.provider_ref AND lower(n.webhook_type) = b.webhook_type
    LEFT JOIN recon.provider_transactions AS t ON t.provider = 'stripe' AND n.provider_ref = t.provider_ref
    WHERE b.provider_ref IS NULL AND coalesce(t.link_method, '') <> 'foreign'
),

named AS (
    SELECT
        l.*,
        p.payment_id,
        p.user_id,
        coalesce(cast(p.user_id AS text), l.user_ref) AS payer_ref,
        row_number() OVER (PARTITION BY l.event_ref ORDER BY p.created_at DESC NULLS LAST, p.payment_id DESC) AS attempt
    FROM lost AS l
    LEFT JOIN recon.app_payments AS p ON p.provider = 'stripe' AND l.provider_ref = p.provider_ref
    WHERE l.choice = 1
)

SELECT
    'stripe' AS provider,
    n.event_ref,
    n.webhook_type,
    n.provider_ref,
    coalesce(cast(n.payment_id AS text), n.payment_ref) AS payment_id,
    n.payer_ref AS user_id,
    u.username,
    n.amount,
    n.currency,
    n.created_at,
    n.pending_webhooks,
    CASE
        WHEN n.pending_webhooks > 0 THEN 'the provider could not deliver it, and the inbox does not have it'
        ELSE 'the provider counts it as delivered, and the inbox does not have it'
    END AS reason
FROM named AS n
LEFT JOIN recon.app_users AS u ON n.user_id = u.user_id
WHERE n.attempt = 1
