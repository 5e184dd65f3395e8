-- Writes what differs from what is stored; an unchanged judgement writes nothing.
INSERT INTO recon.entitlements AS stored (
    user_ref, is_entitled, tier, plan_ref, plan_name, entitled_from, entitled_until, why, payment_ref, provider,
    provider_ref, amount, currency, paid_at, judged_at
)
SELECT
    n.user_ref,
    n.is_entitled,
    n.tier,
    n.plan_ref,
    n.plan_name,
    n.entitled_from,
    n.entitled_until,
    n.why,
    n.payment_ref,
    n.provider,
    n.provider_ref,
    n.amount,
    n.currency,
    n.paid_at,
    n.judged_at
FROM entitlements_next AS n
LEFT JOIN recon.entitlements AS t ON n.user_ref = t.user_ref
WHERE
    t.user_ref IS NULL
    OR (
        n.is_entitled, n.tier, n.plan_ref, n.plan_name, n.entitled_from, n.entitled_until, n.why, n.payment_ref,
        n.provider, n.provider_ref, n.amount, n.currency, n.paid_at
    ) IS DISTINCT FROM (
        t.is_entitled, t.tier, t.plan_ref, t.plan_name, t.entitled_from, t.entitled_until, t.why, t.payment_ref,
        t.provider, t.provider_ref, t.amount, t.currency, t.paid_at
    )
ON CONFLICT (user_ref) DO UPDATE SET
    is_entitled = excluded.is_entitled,
    tier = excluded.tier,
    plan_ref = excluded.plan_ref,
    plan_name = excluded.plan_name,
    entitled_from = excluded.entitled_from,
    entitled_until = excluded.entitled_until,
    why = excluded.why,
    payment_ref = excluded.payment_ref,
    provider = excluded.provider,
    provider_ref = excluded.provider_ref,
    amount = excluded.amount,
    currency = excluded.currency,
    paid_at = excluded.paid_at,
    judged_at = excluded.judged_at;
