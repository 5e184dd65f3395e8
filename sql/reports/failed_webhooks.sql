/*---
title: Webhooks that were not processed
why: >-
  A provider told the application something, and it broke on the way: refused, failed with an error, or never finished.
  What it told is lost unless somebody processes it again.
severity: HIGH
what_to_do: >-
  Mend the cause that the reason names, then have the provider send the webhook again (its dashboard keeps events for
  about 30 days) or process the stored one by hand.
key: [webhook_id]
coverage: {}
unconfigured: judge
intraday: full
params:
  grace_seconds: 900
  window_days: 30
  min_refusals: 3
action: null
columns:
  webhook_id: The inbox's id of the webhook.
  provider: Who sent it.
  webhook_type: What it tells, in the provider's words.
  event_ref: The provider's id of the event, where the inbox kept it.
  provider_ref: The provider's id of what it is about, where known.
  payment_id: The application's id of the payment, where known.
  user_id: The payer, where known.
  username: The payer's name in the application.
  amount: Of the payment, in major units; empty when the webhook names none.
  currency: Currency of the amount.
  processing_status: How far the inbox came.
  error_message: The error that was stored.
  created_at: When it came (UTC).
  reason: Why it is listed.
  severity: MEDIUM where the signature is wrong and no payment is named, which may be a forgery, else HIGH.
---*/
-- Said here: what failed with an error, single refused signatures (W4), what is stuck for longer than the grace (W5).
-- Clean: what was processed in another delivery of the same event (W2, W3), before or after. Three refused signatures
-- of one provider (min_refusals) with none accepted since are a mismatch of secrets: webhook_secret_mismatch says that
-- once. Its min_refusals and window_days are to be changed along with these.
WITH wrong AS (
    -- Two queries, so that each has its index.
    SELECT
        w.*,
        FALSE AS is_refused
    FROM recon.app_webhook_logs AS w
    WHERE
        w.processing_status IN ('received', 'processing', 'failed')
        AND coalesce(w.signature_valid, TRUE)
        AND (
            w.processing_status = 'failed'
            OR w.created_at <= cast(:as_of AS timestamptz) - INTERVAL '1' SECOND * :grace_seconds
        )
    UNION ALL
    SELECT
        w.*,
        TRUE AS is_refused
    FROM recon.app_webhook_logs AS w
    WHERE NOT w.signature_valid
),

broken AS (
    SELECT
        w.webhook_id,
        w.provider,
        w.webhook_type,
        w.event_ref,
        w.object_ref,
        w.payment_id,
        w.user_id,
        w.processing_status,
        w.error_message,
        w.created_at,
        w.is_refused
    FROM wrong AS w
    WHERE
        w.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND w.created_at <= cast(:as_of AS timestamptz)
),

made_good AS (
    -- Three ways to recognise another delivery of the same, each by its index: the same event; or, where one of the two
    -- names none, the same type about the same payment or object.
    SELECT DISTINCT b.webhook_id
    FROM broken AS b
    INNER JOIN LATERAL (
        SELECT
            e.*,
            TRUE AS is_same_event
        FROM recon.app_webhook_logs AS e
        WHERE b.event_ref = e.event_ref
        UNION ALL
        SELECT
            p.*,
            FALSE AS is_same_event
        FROM recon.app_webhook_logs AS p
        WHERE b.payment_id = p.payment_id
        UNION ALL
        SELECT
            o.*,
            FALSE AS is_same_event
        FROM recon.app_webhook_logs AS o
        WHERE
            b.object_ref = o.object_ref
            AND o.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
    ) AS c ON b.provider = c.provider
    WHERE
        c.processing_status = 'completed'
        AND coalesce(c.signature_valid, TRUE)
        AND c.created_at <= cast(:as_of AS timestamptz)
        AND (
            c.is_same_event
            OR (
                coalesce(b.webhook_type, '') = coalesce(c.webhook_type, '')
                AND (b.event_ref IS NULL OR c.event_ref IS NULL)
            )
        )
),

accepted AS (
    SELECT
        w.provider,
        max(w.created_at) AS last_at
    FROM recon.app_webhook_logs AS w
    WHERE
        w.provider IN (SELECT b.provider FROM broken AS b WHERE b.is_refused)
        AND (w.signature_valid OR (w.signature_valid IS NULL AND w.processing_status = 'completed'))
        AND w.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND w.created_at <= cast(:as_of AS timestamptz)
    GROUP BY w.provider
),

in_a_row AS (
    SELECT
        b.webhook_id,
        count(*) OVER (PARTITION BY b.provider) AS refusals
    FROM broken AS b
    LEFT JOIN accepted AS a ON b.provider = a.provider
    WHERE b.is_refused AND (a.last_at IS NULL OR b.created_at > a.last_at)
),

named AS (
    -- What those speak of that name no payment. A checkout and a charge speak of their payment.
    SELECT
        b.webhook_id,
        b.provider,
        b.object_ref AS reference,
        2 AS way
    FROM broken AS b
    WHERE b.payment_id IS NULL
    UNION ALL
    SELECT
        b.webhook_id,
        b.provider,
        s.payment_intent_id AS reference,
        3 AS way
    FROM broken AS b
    INNER JOIN recon.stripe_checkout_sessions AS s ON b.object_ref = s.object_id
    WHERE b.payment_id IS NULL AND b.provider = 'stripe' AND substring(b.object_ref, 1, 3) = 'cs_'
    UNION ALL
    SELECT
        b.webhook_id,
        b.provider,
        i.object_id AS reference,
        3 AS way
    FROM broken AS b
    INNER JOIN recon.stripe_payment_intents AS i ON b.object_ref = i.charge_id
    WHERE b.payment_id IS NULL AND b.provider = 'stripe' AND substring(b.object_ref, 1, 3) IN ('ch_', 'py_')
),

known AS (
    -- The payment as the inbox recorded it, else as the provider's id tells.
    SELECT
        b.webhook_id,
        1 AS way,
        p.*
    FROM broken AS b
    INNER JOIN recon.app_payments AS p ON b.payment_id = p.payment_id
    UNION ALL
    SELECT
        n.webhook_id,
        n.way,
        p.*
    FROM named AS n
    INNER JOIN recon.app_payments AS p ON n.provider = p.provider AND n.reference = p.provider_ref
),

meant AS (
    SELECT
        k.*,
        row_number() OVER (PARTITION BY k.webhook_id ORDER BY k.way ASC, k.payment_id DESC) AS choice
    FROM known AS k
)

SELECT
    b.webhook_id,
    b.provider,
    b.webhook_type,
    b.event_ref,
    coalesce(b.object_ref, m.provider_ref) AS provider_ref,
    coalesce(b.payment_id, m.payment_id) AS payment_id,
    coalesce(b.user_id, m.user_id) AS user_id,
    u.username,
    m.amount,
    m.currency,
    b.processing_status,
    b.error_message,
    b.created_at,
    CASE
        WHEN b.is_refused THEN 'refused: signature invalid'
        WHEN b.processing_status = 'failed'
            THEN 'failed: ' || substring(coalesce(b.error_message, 'no error was stored'), 1, 300)
        WHEN b.processing_status = 'received' THEN 'stuck: received and never processed'
        ELSE 'stuck: processing never ended'
    END AS reason,
    CASE WHEN b.is_refused AND m.payment_id IS NULL AND b.payment_id IS NULL THEN 'MEDIUM' ELSE 'HIGH' END AS severity
FROM broken AS b
LEFT JOIN made_good AS g ON b.webhook_id = g.webhook_id
LEFT JOIN in_a_row AS r ON b.webhook_id = r.webhook_id
LEFT JOIN meant AS m ON b.webhook_id = m.webhook_id AND m.choice = 1
LEFT JOIN recon.app_users AS u ON coalesce(b.user_id, m.user_id) = u.user_id
WHERE g.webhook_id IS NULL AND coalesce(r.refusals, 0) < :min_refusals
