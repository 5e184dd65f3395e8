/*---
title: Holds for bookings that nobody came to
why: >-
  The window of the service is over, nobody joined, and the customer's card is still blocked. Until the hold is released
  the customer can't use that money, and complains or disputes.
severity: MEDIUM
what_to_do: >-
  Release the hold (cancel the payment at the provider), unless your terms let you charge for a no-show; then capture
  before the deadline. Where needs_person is true the application contradicts itself, somebody joined what it calls a
  no-show: find out which is right; the release is only proposed.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents]
unconfigured: withhold
intraday: full
params:
  grace_minutes: 60
action: release_authorization
columns:
  provider: Who holds the money.
  provider_ref: The provider's id of the hold.
  payment_id: The application's id of the payment.
  user_id: The payer.
  username: The payer's name in the application.
  booking_id: What the hold is for.
  booking_status: What the application says became of the booking.
  ended_at: When the booking was over (UTC).
  amount: Held, in major units.
  currency: Currency of the amount.
  capture_before: The provider's deadline for capture (UTC); empty when it names none.
  actual_start: When somebody joined, as recorded (UTC); empty when nobody did.
  recommendation: release; decide where somebody joined what the application calls a no-show.
  needs_person: Whether a person must agree to the release, whatever policy says.
  reason: Why the hold is listed.
---*/
-- Open holds are few and found by index; bookings are looked up from them. Rule: the window ended more than
-- grace_minutes ago and nobody joined. A booking that the application calls completed is not a no-show although no
-- start was recorded; a start that was recorded is one only where the application itself says no-show. Then the
-- evidence contradicts itself. A hold is released by itself only when nobody joined by all that is recorded; with a
-- recorded start the release is proposed to a person, and the repair asks for that approval too.
WITH holds AS (
    SELECT
        t.provider,
        t.provider_ref,
        t.amount,
        t.currency,
        t.capture_before,
        p.payment_id,
        p.user_id,
        b.booking_id,
        b.status AS booking_status,
        b.ends_at,
        b.actual_start,
        b.cancelled_by,
        row_number() OVER (
            PARTITION BY t.provider, t.provider_ref
            ORDER BY p.created_at DESC, p.payment_id DESC
        ) AS choice
    FROM recon.provider_transactions AS t
    INNER JOIN LATERAL (
        -- The limit is a fence: of a few holds the payments are asked for by index.
        SELECT
            o.payment_id,
            o.way
        FROM recon.payment_objects AS o
        WHERE o.provider = t.provider AND o.account = t.account AND o.provider_ref = t.provider_ref
        ORDER BY o.way
        LIMIT 1000
    ) AS x ON TRUE
    INNER JOIN recon.app_payments AS p ON x.payment_id = p.payment_id
    INNER JOIN recon.app_bookings AS b ON p.booking_id = b.booking_id
    WHERE
        t.state = 'authorized'
        AND t.kind IN ('payment', 'deposit')
        AND t.link_method <> 'foreign'
        AND t.vanished_at IS NULL
        AND (t.livemode OR t.provider NOT IN (SELECT v.provider FROM recon.live_providers AS v))
        AND t.provider_created_at <= cast(:as_of AS timestamptz)
        AND b.ends_at < cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
        AND (
            b.status IN ('no_show', 'noshow', 'no-show')
            OR (b.actual_start IS NULL AND b.status NOT IN ('completed', 'delivered', 'finished', 'done'))
        )
)

SELECT
    h.provider,
    h.provider_ref,
    h.payment_id,
    cast(h.user_id AS text) AS user_id,
    u.username,
    h.booking_id,
    h.booking_status,
    h.ends_at AS ended_at,
    h.amount,
    h.currency,
    h.capture_before,
    h.actual_start,
    CASE WHEN h.actual_start IS NULL THEN 'release' ELSE 'decide' END AS recommendation,
    h.actual_start IS NOT NULL AS needs_person,
    CASE
        WHEN h.actual_start IS NOT NULL THEN 'called a no-show, but somebody joined, and the hold is still open'
        WHEN h.cancelled_by IS NOT NULL OR h.booking_status IN ('canceled', 'cancelled', 'declined', 'rejected')
            THEN 'cancelled, its time is over, and the hold is still open'
        WHEN h.booking_status IN ('no_show', 'noshow', 'no-show') THEN 'no-show, and the hold is still open'
        ELSE 'over, nobody joined, and the hold is still open'
    END AS reason
FROM holds AS h
LEFT JOIN recon.app_users AS u ON h.user_id = u.user_id
WHERE h.choice = 1
