-- What the user should have according to the money, as last judged.
SELECT
    e.is_entitled,
    e.tier,
    e.plan_name,
    e.entitled_from,
    e.entitled_until,
    e.why,
    e.payment_ref,
    e.provider,
    e.provider_ref,
    e.paid_at,
    e.judged_at
FROM recon.entitlements AS e
WHERE e.user_ref = :user_ref;
