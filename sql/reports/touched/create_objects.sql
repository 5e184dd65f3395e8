-- Provider objects that we wrote since the last refresh, whose state is too young for a grace period that may have
-- passed since, or that were paid for a period that ends now.
CREATE TEMPORARY TABLE touched_objects ON COMMIT DROP AS
SELECT
    o.provider,
    o.provider_ref,
    o.parent_ref,
    o.tx_hash,
    o.payment_ref,
    o.user_ref
FROM recon.touched_objects AS o
WHERE o.changed_in >= cast(:changed_from AS xid8)
UNION
SELECT
    t.provider,
    t.provider_ref,
    t.parent_ref,
    t.tx_hash,
    t.payment_ref,
    t.user_ref
FROM recon.provider_transactions AS t
WHERE t.state_changed_at > :since
UNION
SELECT
    t.provider,
    t.provider_ref,
    t.parent_ref,
    t.tx_hash,
    t.payment_ref,
    t.user_ref
FROM pg_temp.touched_ends AS e
INNER JOIN recon.provider_transactions AS t ON e.since < t.state_changed_at AND e.until >= t.state_changed_at;
