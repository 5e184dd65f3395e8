-- Remembers what the application now says of payouts.
INSERT INTO recon.link_payouts (payout_ref, user_ref, provider_ref)
SELECT
    c.payout_ref,
    c.user_ref,
    c.provider_ref
FROM pg_temp.changed_payouts AS c
WHERE NOT c.is_gone
-- In the order of the primary key: a third faster where there are many.
ORDER BY c.payout_ref
ON CONFLICT (payout_ref) DO UPDATE SET
    user_ref = excluded.user_ref,
    provider_ref = excluded.provider_ref;
