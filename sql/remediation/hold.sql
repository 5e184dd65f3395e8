-- The application's payments for one object of Stripe, each with its booking; more than one is for a person to judge.
SELECT
    p.status,
    p.amount,
    p.currency,
    p.confirmed_at,
    cast(p.payment_id AS text) AS payment_id,
    cast(p.user_id AS text) AS user_id,
    cast(p.plan_id AS text) AS plan_id,
    coalesce(m.state, 'unknown') AS app_state,
    cast(b.booking_id AS text) AS booking_id,
    b.status AS booking_status,
    b.ends_at AS booking_ends_at,
    b.actual_start AS booking_actual_start,
    b.cancelled_by AS booking_cancelled_by
FROM recon.app_payments AS p
LEFT JOIN recon.state_map AS m ON p.status = m.raw_status AND m.provider = 'app' AND m.resource = 'app_payment'
LEFT JOIN recon.app_bookings AS b ON p.booking_id = b.booking_id
WHERE p.provider = 'stripe' AND p.provider_ref = :provider_ref
ORDER BY p.created_at, p.payment_id;
