/*---
title: No webhooks any more
why: >-
  One provider's webhooks stopped, while its payments went on: the endpoint was removed or disabled, or nobody can reach
  it. Nothing fails and nothing is logged; every payment since then waits for a word that never comes.
severity: HIGH
what_to_do: >-
  Look at the endpoint in the provider's dashboard: is it enabled, is its address right, what were its last answers?
  After mending it, have the provider send again what it kept.
key: [provider]
coverage: {}
unconfigured: judge
params:
  floor_hours: 6
  history_days: 30
  min_payments: 3
  min_history: 5
  times_usual: 2
action: null
columns:
  provider: Who fell silent.
  last_webhook_at: When its last webhook came (UTC).
  hours_silent: Hours since then.
  usual_hours: The longest time between two webhooks in the days before.
  payments_since: Payments that were made since then.
  usual_payments: The most payments between two webhooks in the days before.
  amount: Sum of the payments since then, in major units, in the currency most of them have.
  currency: Currency of the amount.
  reason: Why it is listed.
---*/
-- "Usual" is the application's own history, history_days before the last webhook: silence is longer than the longest
-- pause and than floor_hours, and more payments than times_usual times the longest row of payments without a webhook
-- (and at least min_payments) went by. With less than min_history webhooks there is no usual. A refused webhook is no
-- silence. A payment is one that the application or the provider calls paid, at the time when it was made.
WITH heard AS (
    SELECT
        w.provider,
        max(w.created_at) AS last_at
    FROM recon.app_webhook_logs AS w
    WHERE
        w.created_at <= cast(:as_of AS timestamptz)
        AND w.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :history_days
    GROUP BY w.provider
),

silent AS (
    SELECT
        h.provider,
        h.last_at,
        cast(:as_of AS timestamptz) - h.last_at AS since
    FROM heard AS h
    WHERE h.last_at <= cast(:as_of AS timestamptz) - INTERVAL '1' HOUR * :floor_hours
),

hooks AS (
    SELECT
        s.provider,
        w.created_at AS at,
        w.created_at - lag(w.created_at) OVER (PARTITION BY s.provider ORDER BY w.created_at ASC) AS pause
    FROM silent AS s
    INNER JOIN recon.app_webhook_logs AS w ON s.provider = w.provider
    WHERE w.created_at <= s.last_at AND w.created_at > s.last_at - INTERVAL '1' DAY * :history_days
),

pauses AS (
    SELECT
        h.provider,
        max(h.pause) AS longest
    FROM hooks AS h
    GROUP BY h.provider
    HAVING count(*) >= :min_history
),

payments AS (
    SELECT DISTINCT
        s.provider,
        s.last_at,
        p.payment_id,
        p.created_at AS at,
        p.amount,
        p.currency
    FROM silent AS s
    INNER JOIN recon.app_payments AS p ON s.provider = p.provider
    LEFT JOIN recon.state_map AS m
        ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
    LEFT JOIN recon.provider_transactions AS t
        ON
            p.provider = t.provider
            AND p.provider_ref = t.provider_ref
            AND t.kind IN ('payment', 'deposit')
            AND t.state = 'paid'
    WHERE
        p.created_at > s.last_at - INTERVAL '1' DAY * :history_days
        AND p.created_at <= cast(:as_of AS timestamptz)
        AND (m.state = 'paid' OR t.provider_ref IS NOT NULL)
),

sequence AS (
    -- Payments and webhooks in one line; a payment belongs to the pause after so many webhooks.
    SELECT
        q.provider,
        q.is_payment,
        sum(1 - q.is_payment) OVER (
            PARTITION BY q.provider ORDER BY q.at ASC, q.is_payment DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS after_webhooks
    FROM (
        SELECT
            h.provider,
            h.at,
            0 AS is_payment
        FROM hooks AS h
        UNION ALL
        SELECT
            p.provider,
            p.at,
            1 AS is_payment
        FROM payments AS p
        WHERE p.at <= p.last_at
    ) AS q
),

rows_of_payments AS (
    SELECT
        q.provider,
        q.after_webhooks,
        sum(q.is_payment) AS payments
    FROM sequence AS q
    GROUP BY q.provider, q.after_webhooks
),

usual AS (
    SELECT
        r.provider,
        max(r.payments) AS payments
    FROM rows_of_payments AS r
    GROUP BY r.provider
),

unannounced AS (
    SELECT
        p.provider,
        p.currency,
        count(*) AS payments,
        sum(p.amount) AS amount,
        sum(count(*)) OVER (PARTITION BY p.provider) AS payments_in_all,
        row_number() OVER (PARTITION BY p.provider ORDER BY count(*) DESC, p.currency ASC) AS choice
    FROM payments AS p
    WHERE p.at > p.last_at
    GROUP BY p.provider, p.currency
),

judged AS (
    SELECT
        s.provider,
        s.last_at,
        a.amount,
        a.currency,
        cast(a.payments_in_all AS bigint) AS payments_since,
        cast(coalesce(u.payments, 0) AS bigint) AS usual_payments,
        extract(DAY FROM s.since) * 24 + extract(HOUR FROM s.since) + extract(MINUTE FROM s.since) / 60.0
            AS hours_silent,
        extract(DAY FROM g.longest) * 24 + extract(HOUR FROM g.longest) + extract(MINUTE FROM g.longest) / 60.0
            AS usual_hours
    FROM silent AS s
    INNER JOIN pauses AS g ON s.provider = g.provider
    INNER JOIN unannounced AS a ON s.provider = a.provider AND a.choice = 1
    LEFT JOIN usual AS u ON s.provider = u.provider
    WHERE
        s.since > g.longest
        AND a.payments_in_all >= :min_payments
        AND a.payments_in_all > :times_usual * coalesce(u.payments, 0)
)

SELECT
    j.provider,
    j.last_at AS last_webhook_at,
    round(cast(j.hours_silent AS numeric(12, 4)), 1) AS hours_silent,
    round(cast(j.usual_hours AS numeric(12, 4)), 1) AS usual_hours,
    j.payments_since,
    j.usual_payments,
    j.amount,
    j.currency,
    'no webhook for ' || cast(round(cast(j.hours_silent AS numeric(12, 4)), 1) AS text) || ' hours and '
    || cast(j.payments_since AS text) || ' payments; before, at most '
    || cast(round(cast(j.usual_hours AS numeric(12, 4)), 1) AS text) || ' hours and '
    || cast(j.usual_payments AS text) || ' payments' AS reason
FROM judged AS j
