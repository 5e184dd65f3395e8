-- Verdicts on their way into recon.deposit_matches.
CREATE TEMPORARY TABLE judged (
    provider text NOT NULL,
    account text NOT NULL,
    provider_ref text NOT NULL,
    state text NOT NULL,
    payment_ref text,
    method text,
    amount_share numeric,
    deviation numeric,
    outcome text,
    came_late boolean NOT NULL,
    reason text,
    candidates text,
    evidence text NOT NULL,
    digest bigint NOT NULL
) ON COMMIT DROP;
