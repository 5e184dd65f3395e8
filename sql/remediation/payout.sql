-- The application's payout: with a later one that covers it, and a transfer by which the same payee was paid before.
SELECT
    p.amount,
    p.currency,
    p.method,
    p.status,
    p.error,
    p.created_at,
    p.stripe_transfer_id,
    p.paypal_batch_id,
    cast(p.payout_id AS text) AS payout_id,
    cast(p.payee_id AS text) AS user_id,
    (
        SELECT cast(min(q.payout_id) AS text)
        FROM recon.app_payouts AS q
        WHERE
            q.booking_id = p.booking_id
            AND q.payee_id = p.payee_id
            AND q.currency = p.currency
            AND q.amount >= p.amount
            AND (q.created_at > p.created_at OR (q.created_at = p.created_at AND q.payout_id > p.payout_id))
            AND q.status NOT IN ('canceled', 'cancelled')
    ) AS covered_by,
    (
        SELECT q.stripe_transfer_id
        FROM recon.app_payouts AS q
        WHERE
            q.payee_id = p.payee_id
            AND q.payout_id <> p.payout_id
            AND q.stripe_transfer_id LIKE 'tr\_%'
            AND q.created_at <= p.created_at
            AND q.status IN ('paid', 'completed', 'succeeded', 'success', 'sent')
        ORDER BY q.created_at DESC, q.payout_id DESC
        LIMIT 1
    ) AS paid_before_by
FROM recon.app_payouts AS p
WHERE
    cast(p.payout_id AS text) = cast(:payout_id AS text)
    OR (cast(:payout_id AS text) IS NULL AND p.stripe_transfer_id = cast(:provider_ref AS text))
ORDER BY p.payout_id;
