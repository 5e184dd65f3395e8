-- Did a statement since then write more than was noted one by one?
SELECT exists(
    SELECT 1
    FROM recon.touched_objects AS o
    WHERE
        o.changed_in >= cast(:changed_from AS xid8)
        AND coalesce(o.provider, o.provider_ref, o.tx_hash, o.payment_ref, o.user_ref) IS NULL
) AS is_much;
