-- A line of history, for charts over time.
INSERT INTO recon.report_runs (report, as_of, rows, by_severity, amount_at_risk, seconds, run_id)
VALUES (:report, :as_of, :rows, cast(:by_severity AS jsonb), cast(:amount_at_risk AS jsonb), :seconds, :run_id);
