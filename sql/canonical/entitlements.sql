-- What each user of entitlement_verdicts should have at as_of by the money, and why. Of the payments for plans whose
-- period runs the newest paid one decides the tier; its period is joined with those of the same tier that still run. A
-- payment in part refunded counts, one returned (refunded, or lost in a dispute) does not. A subscription event that
-- ended access since ends it; one that left access in place (cancelled for the end of the period, another tier by the
-- user's wish) keeps it until the end of what is paid.
CREATE TEMPORARY TABLE entitlements_next ON COMMIT DROP AS
WITH relevant AS (
    -- What is joined to one span: good payments for one tier; anything else stands alone.
    SELECT
        v.*,
        CASE WHEN v.counts AND v.tier IS NOT NULL THEN lower(v.tier) ELSE concat('payment ', v.payment_id) END AS span
    FROM entitlement_verdicts AS v
    WHERE
        v.paid_at <= :as_of
        AND (v.paid_until IS NULL OR v.paid_until > :as_of)
        AND (v.counts OR v.is_returned)
),

ranked AS (
    SELECT
        r.*,
        row_number() OVER (
            PARTITION BY r.user_id ORDER BY r.counts DESC, r.paid_at DESC, r.payment_id DESC
        ) AS choice,
        min(r.paid_at) OVER (PARTITION BY r.user_id, r.span) AS paid_from,
        CASE
            WHEN bool_or(r.paid_until IS NULL) OVER (PARTITION BY r.user_id, r.span) THEN NULL
            ELSE max(r.paid_until) OVER (PARTITION BY r.user_id, r.span)
        END AS span_until
    FROM relevant AS r
),

events AS (
    SELECT
        c.user_id,
        e.event_id,
        e.event_type,
        e.new_status,
        e.new_tier,
        e.plan_id,
        e.created_at,
        -- Expired a day and more before the end of what was paid: a renewal that moved nothing, not a purpose.
        coalesce(e.ends_access, FALSE)
        AND NOT (
            (
                lower(e.event_type) IN ('expired', 'subscription_expired')
                OR coalesce(lower(e.new_status), '') = 'expired'
            )
            AND c.is_known_period
            AND (c.shortest_until IS NULL OR e.created_at < c.shortest_until)
        ) AS ends_access,
        coalesce(lower(e.new_status) IN ('active', 'trialing') AND lower(e.new_tier) = lower(c.tier), FALSE) AS gives,
        coalesce(lower(e.new_status) IN ('active', 'trialing'), FALSE) AS keeps,
        lower(e.event_type) IN ('canceled', 'cancelled', 'subscription_canceled', 'subscription_cancelled')
        OR coalesce(lower(e.new_status) IN ('canceled', 'cancelled'), FALSE) AS cancels
    FROM ranked AS c
    INNER JOIN recon.app_subscription_events AS e ON c.user_id = e.user_id AND c.bought_at < e.created_at
    WHERE c.choice = 1 AND c.counts AND e.created_at <= :as_of
),

ended AS (
    -- The last event that ended access, unless what was bought was given again after it.
    SELECT DISTINCT ON (e.user_id) e.*
    FROM events AS e
    WHERE
        e.ends_access
        AND NOT e.gives
        AND NOT EXISTS (
            SELECT 1 FROM events AS g
            WHERE g.user_id = e.user_id AND g.gives AND g.created_at >= e.created_at
        )
    ORDER BY e.user_id ASC, e.created_at DESC, e.event_id DESC
),

judged AS (
    SELECT
        c.*,
        e.event_type,
        e.created_at AS ended_at,
        e.new_tier,
        e.plan_id AS event_plan_id,
        u.subscription_updated_at,
        coalesce(e.keeps AND e.new_tier IS NOT NULL, FALSE) AS is_changed,
        CASE
            WHEN NOT c.counts THEN 'returned'
            WHEN e.keeps THEN 'kept'
            WHEN e.cancels AND u.has_access THEN 'kept'
            WHEN e.user_id IS NOT NULL THEN 'ended'
            WHEN
                coalesce(u.subscription_status, '') IN ('canceled', 'cancelled')
                AND NOT coalesce(u.has_access, FALSE)
                AND u.subscription_updated_at > c.bought_at
                AND u.subscription_updated_at <= :as_of
                THEN 'cancelled'
            ELSE 'paid'
        END AS outcome
    FROM ranked AS c
    INNER JOIN recon.app_users AS u ON c.user_id = u.user_id
    LEFT JOIN ended AS e ON c.user_id = e.user_id
    WHERE c.choice = 1
)

SELECT
    cast(j.user_id AS text) AS user_ref,
    j.outcome IN ('paid', 'kept') AS is_entitled,
    CASE WHEN j.is_changed THEN j.new_tier ELSE j.tier END AS tier,
    cast(CASE WHEN j.is_changed THEN j.event_plan_id ELSE j.plan_id END AS text) AS plan_ref,
    CASE WHEN j.is_changed THEN l.plan_name ELSE j.plan_name END AS plan_name,
    j.paid_from AS entitled_from,
    CASE j.outcome
        WHEN 'returned' THEN least(j.returned_at, :as_of)
        WHEN 'ended' THEN j.ended_at
        WHEN 'cancelled' THEN j.subscription_updated_at
        ELSE j.span_until
    END AS entitled_until,
    concat(
        CASE j.outcome
            WHEN 'returned' THEN concat(j.returned_how, ' ')
            WHEN 'ended' THEN concat('ended by ', j.event_type, ' after it was paid, ')
            WHEN 'cancelled' THEN 'cancelled after it was paid, '
            WHEN 'kept' THEN concat('paid, ', j.event_type, ' since, kept until the end of what is paid, ')
            ELSE 'paid '
        END,
        'by payment ', cast(j.payment_id AS text), ' of ', cast(j.amount AS text), ' ', j.currency,
        CASE
            WHEN j.amount_refunded > 0 AND j.counts
                THEN concat(', of which ', cast(j.amount_refunded AS text), ' were refunded: a part keeps access')
        END,
        CASE WHEN j.known_plan_id IS NULL THEN ', for a plan that is not known' END
    ) AS why,
    cast(j.payment_id AS text) AS payment_ref,
    j.provider,
    j.provider_ref,
    j.amount,
    j.currency,
    j.paid_at,
    cast(:as_of AS timestamptz) AS judged_at
FROM judged AS j
LEFT JOIN recon.app_plans AS l ON j.event_plan_id = l.plan_id;
