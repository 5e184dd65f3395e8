/*---
title: Webhooks refused one after the other
why: >-
  The signatures of one provider's webhooks are wrong again and again, and none was accepted since: the signing secret
  was rotated on one side only, or belongs to another account. Everything this provider tells is lost meanwhile.
severity: HIGH
what_to_do: >-
  Compare the inbox's signing secret with the provider's dashboard (right endpoint, right mode, right account), correct
  it, then have the provider send again what was refused.
key: [provider]
coverage: {}
unconfigured: judge
intraday: full
params:
  window_days: 30
  min_refusals: 3
action: null
columns:
  provider: Whose webhooks are refused.
  refusals: How many in a row.
  payments: How many payments of the application they name.
  first_refused_at: The first of the row (UTC).
  last_refused_at: The last of the row (UTC).
  last_accepted_at: When one was last accepted (UTC); empty when none was within the window.
  amount: Sum of the payments they name, in major units, in the currency most of them have.
  currency: Currency of the amount.
  reason: Why it is listed.
---*/
-- The newest webhooks of the provider all have an invalid signature, at least min_refusals of them. Whether they failed
-- otherwise does not matter; where no signature is checked (NULL), one that was processed counts as accepted. Fewer
-- refusals, or refusals before one that was accepted, are single failures: failed_webhooks.
WITH refused AS (
    SELECT
        w.webhook_id,
        w.provider,
        w.payment_id,
        w.created_at
    FROM recon.app_webhook_logs AS w
    WHERE
        NOT w.signature_valid
        AND w.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND w.created_at <= cast(:as_of AS timestamptz)
),

accepted AS (
    SELECT
        w.provider,
        max(w.created_at) AS last_at
    FROM recon.app_webhook_logs AS w
    WHERE
        w.provider IN (SELECT r.provider FROM refused AS r)
        AND (w.signature_valid OR (w.signature_valid IS NULL AND w.processing_status = 'completed'))
        AND w.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND w.created_at <= cast(:as_of AS timestamptz)
    GROUP BY w.provider
),

in_a_row AS (
    SELECT
        r.webhook_id,
        r.provider,
        r.payment_id,
        r.created_at,
        a.last_at
    FROM refused AS r
    LEFT JOIN accepted AS a ON r.provider = a.provider
    WHERE a.last_at IS NULL OR r.created_at > a.last_at
),

runs AS (
    SELECT
        i.provider,
        i.last_at,
        count(*) AS refusals,
        count(DISTINCT i.payment_id) AS payments,
        min(i.created_at) AS first_refused_at,
        max(i.created_at) AS last_refused_at
    FROM in_a_row AS i
    GROUP BY i.provider, i.last_at
    HAVING count(*) >= :min_refusals
),

named AS (
    SELECT DISTINCT
        i.provider,
        i.payment_id
    FROM in_a_row AS i
),

amounts AS (
    SELECT
        n.provider,
        p.currency,
        sum(p.amount) AS amount,
        row_number() OVER (PARTITION BY n.provider ORDER BY count(*) DESC, p.currency ASC) AS choice
    FROM named AS n
    INNER JOIN recon.app_payments AS p ON n.payment_id = p.payment_id
    GROUP BY n.provider, p.currency
)

SELECT
    r.provider,
    r.refusals,
    r.payments,
    r.first_refused_at,
    r.last_refused_at,
    r.last_at AS last_accepted_at,
    a.amount,
    a.currency,
    'the last ' || cast(r.refusals AS text) || ' signatures were invalid, none was accepted since' AS reason
FROM runs AS r
LEFT JOIN amounts AS a ON r.provider = a.provider AND a.choice = 1
