/*---
title: Customers who want their money back through the bank
why: >-
  A dispute that nobody answers in time is lost, with its fee; many of them cost the account. Who disputes and keeps the
  service has it for nothing.
severity: CRITICAL
what_to_do: >-
  Answer with evidence before the deadline, or accept it. Where it is lost, see what the customer still has.
key: [provider, provider_ref]
coverage:
  stripe: [disputes, payment_intents]
unconfigured: withhold
intraday: full
params:
  window_days: 14
action: null
columns:
  provider: Whose dispute it is.
  provider_ref: The provider's id of the dispute.
  parent_ref: The provider's id of the payment in dispute.
  payment_id: The application's id of the payment.
  user_id: The payer, where known.
  username: The payer's name in the application.
  provider_status: Status as the provider calls it.
  dispute_reason: Why the customer disputes, in the provider's words.
  evidence_due_at: Until when evidence counts (UTC); empty where none is taken any more.
  hours_left: Hours until then, negative once it has passed.
  has_evidence: Whether evidence was handed in.
  amount: In dispute, in major units.
  currency: Currency of the amount.
  created_at: When the dispute was made (UTC).
  reason: What it is and what is left to do.
  severity: CRITICAL while open, HIGH once lost, LOW once it came to nothing.
---*/
-- The rule. Every dispute that is open, whatever its age, inquiries of banks included; a status that nobody knows
-- counts as open. Closed ones for window_days after they were made or, where the provider's feed tells it, after they
-- were closed. Those of other products' charges are not ours.
WITH told_closed AS (
    SELECT
        e.account,
        e.subject_id,
        max(e.created_at) AS closed_at
    FROM recon.stripe_events AS e
    WHERE
        e.type = 'charge.dispute.closed'
        AND e.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
        AND e.created_at <= cast(:as_of AS timestamptz)
    GROUP BY e.account, e.subject_id
),

placed AS (
    SELECT
        d.*,
        coalesce(d.payment_intent_id, c.payment_intent_id, d.charge_id) AS parent_ref,
        d.status NOT IN ('won', 'lost', 'warning_closed', 'prevented', 'charge_refunded') AS is_open,
        d.evidence_due_at - cast(:as_of AS timestamptz) AS time_left
    FROM recon.stripe_disputes AS d
    LEFT JOIN recon.stripe_charges AS c ON d.account = c.account AND d.charge_id = c.object_id
    LEFT JOIN told_closed AS e ON d.account = e.account AND d.object_id = e.subject_id
    WHERE
        d.vanished_at IS NULL
        AND d.created_at <= cast(:as_of AS timestamptz)
        AND (
            d.status NOT IN ('won', 'lost', 'warning_closed', 'prevented', 'charge_refunded')
            OR d.created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days
            OR e.closed_at IS NOT NULL
        )
),

linked AS (
    SELECT
        d.*,
        p.payment_id AS known_payment,
        p.user_id AS known_user,
        coalesce(cast(p.payment_id AS text), t.payment_ref) AS payment_ref,
        coalesce(cast(p.user_id AS text), t.user_ref) AS user_ref,
        row_number() OVER (
            PARTITION BY d.account, d.object_id
            ORDER BY p.created_at DESC NULLS LAST, p.payment_id DESC NULLS LAST
        ) AS choice
    FROM placed AS d
    LEFT JOIN recon.provider_transactions AS t
        ON t.provider = 'stripe' AND d.account = t.account AND d.parent_ref = t.provider_ref
    LEFT JOIN recon.app_payments AS p ON p.provider = 'stripe' AND d.parent_ref = p.provider_ref
    WHERE coalesce(t.link_method, 'none') <> 'foreign'
)

SELECT
    'stripe' AS provider,
    d.object_id AS provider_ref,
    d.parent_ref,
    d.payment_ref AS payment_id,
    d.user_ref AS user_id,
    u.username,
    d.status AS provider_status,
    d.reason AS dispute_reason,
    d.evidence_due_at,
    round(
        cast(
            extract(DAY FROM d.time_left) * 24 + extract(HOUR FROM d.time_left)
            + extract(MINUTE FROM d.time_left) / 60.0 AS numeric(12, 4)
        ),
        1
    ) AS hours_left,
    d.has_evidence,
    d.amount,
    upper(d.currency) AS currency,
    d.created_at,
    CASE
        WHEN d.status = 'lost' THEN 'lost, the money is gone'
        WHEN d.status = 'won' THEN 'won, the money is back'
        WHEN NOT d.is_open THEN 'closed without taking money'
        WHEN d.evidence_due_at <= cast(:as_of AS timestamptz) AND NOT d.has_evidence
            THEN 'open, and the time for evidence has passed'
        WHEN d.has_evidence THEN 'open, evidence was handed in'
        ELSE 'open, nothing was answered yet'
    END AS reason,
    CASE
        WHEN d.is_open THEN 'CRITICAL'
        WHEN d.status = 'lost' THEN 'HIGH'
        ELSE 'LOW'
    END AS severity
FROM linked AS d
LEFT JOIN recon.app_users AS u ON d.known_user = u.user_id
WHERE d.choice = 1
