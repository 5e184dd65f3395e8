-- A policy's limits on the sums in one currency; their history keeps itself.
INSERT INTO recon.policy_limits (
    action, report, currency, max_amount_per_run, max_amount_per_day, second_approval_above
)
VALUES (:action, :report, :currency, :max_amount_per_run, :max_amount_per_day, :second_approval_above)
ON CONFLICT (action, report, currency) DO UPDATE SET
    max_amount_per_run = excluded.max_amount_per_run,
    max_amount_per_day = excluded.max_amount_per_day,
    second_approval_above = excluded.second_approval_above;
