-- What each user should have now according to the money, and why. One row for each user with a payment for a plan whose
-- period runs; is_entitled false where it was returned, or where the subscription was ended on purpose since.
CREATE TABLE recon.entitlements (
    user_ref text PRIMARY KEY,
    is_entitled boolean NOT NULL,
    tier text,
    plan_ref text,
    plan_name text,
    entitled_from timestamptz NOT NULL,
    entitled_until timestamptz, -- null: for ever
    why text NOT NULL,
    payment_ref text NOT NULL,
    provider text,
    provider_ref text,
    amount numeric,
    currency text,
    paid_at timestamptz NOT NULL,
    judged_at timestamptz NOT NULL
);
CREATE INDEX entitlements_until ON recon.entitlements (entitled_until) WHERE entitled_until IS NOT NULL;
