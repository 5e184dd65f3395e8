-- Locks one payout until the transaction ends, so that the application does not pay it out at the same moment.
-- Parameters: payout_id (text; null: the one with this provider_ref), provider_ref (text; null: any).
SELECT p.id AS payout_id
FROM public.payouts AS p
WHERE
    p.id = cast(cast(:payout_id AS text) AS bigint)
    OR (cast(:payout_id AS text) IS NULL AND p.stripe_transfer_id = cast(:provider_ref AS text))
ORDER BY p.id
FOR UPDATE;
