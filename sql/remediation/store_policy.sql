-- A policy's new values; their history keeps itself.
INSERT INTO recon.policies (
    action, report, mode, approvals, max_per_run, max_per_day, expires_after, changed_at, changed_by
)
VALUES (:action, :report, :mode, :approvals, :max_per_run, :max_per_day, :expires_after, :at, :actor)
ON CONFLICT (action, report) DO UPDATE SET
    mode = excluded.mode,
    approvals = excluded.approvals,
    max_per_run = excluded.max_per_run,
    max_per_day = excluded.max_per_day,
    expires_after = excluded.expires_after,
    changed_at = excluded.changed_at,
    changed_by = excluded.changed_by;
