-- noqa: disable=all
-- Verdicts in bulk.
COPY judged (
    provider, account, provider_ref, state, payment_ref, method, amount_share, deviation, outcome, came_late, reason,
    candidates, evidence, digest
) FROM STDIN
