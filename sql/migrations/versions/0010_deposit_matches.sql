-- Which deposit settles which payment of the application.

-- One row a deposit that is final, so that none settles two payments. state: matched; ambiguous, for a person to
-- decide; unmatched, nobody's. reason says why it is not matched, candidates (payment ids) whom to ask. amount_share:
-- coins of the deposit that count for the payment. deviation: of all that came for the payment from what was expected,
-- as a part of it; outcome: what that means under the tolerance. came_late: after the payment's expiry, or the
-- application had given it up. digest: of the deposit's facts when it was judged.
CREATE TABLE recon.deposit_matches (
    provider text NOT NULL,
    account text NOT NULL,
    provider_ref text NOT NULL,
    state text NOT NULL CHECK (state IN ('matched', 'ambiguous', 'unmatched')),
    payment_ref text,
    method text CHECK (method IN ('exact', 'tolerance', 'split', 'tx_hash', 'address')),
    amount_share numeric,
    deviation numeric,
    outcome text CHECK (outcome IN ('full', 'short', 'over')),
    came_late boolean NOT NULL DEFAULT FALSE,
    reason text,
    candidates text,
    evidence text NOT NULL,
    digest bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (provider, account, provider_ref),
    CHECK ((state = 'matched') = (payment_ref IS NOT NULL)),
    CHECK ((state = 'matched') = (method IS NOT NULL)),
    CHECK ((state = 'matched') = (outcome IS NOT NULL)),
    CHECK ((state = 'matched') = (reason IS NULL))
);
CREATE INDEX deposit_matches_payment ON recon.deposit_matches (payment_ref) INCLUDE (amount_share, outcome)
WHERE state = 'matched';
CREATE INDEX deposit_matches_review ON recon.deposit_matches (state, reason) WHERE state <> 'matched';
CREATE INDEX deposit_matches_off ON recon.deposit_matches (outcome, payment_ref) WHERE outcome <> 'full';
CREATE INDEX deposit_matches_late ON recon.deposit_matches (payment_ref) WHERE came_late;

-- What each payment that waits for deposits looked like when it was last judged, and at which address.
CREATE TABLE recon.deposit_match_payments (
    payment_ref text PRIMARY KEY,
    place text,
    digest bigint NOT NULL
);

-- Deposits are few among all objects.
CREATE INDEX provider_transactions_deposits
ON recon.provider_transactions (state, provider_created_at) WHERE kind = 'deposit';
-- Crypto payments at a gateway that came short, or over.
CREATE INDEX provider_transactions_short
ON recon.provider_transactions (provider, provider_ref) WHERE state = 'partially_paid';
CREATE INDEX provider_transactions_over
ON recon.provider_transactions (provider, provider_ref) WHERE kind = 'payment' AND amount_received > expected_amount;
