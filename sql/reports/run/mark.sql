-- Remembers as of when a report's table is, and by which rules.
INSERT INTO recon.report_marks (report, as_of, changed_from, cluster, rules)
VALUES (:report, :as_of, cast(:changed_from AS xid8), :cluster, :rules)
ON CONFLICT (report) DO UPDATE SET
    as_of = excluded.as_of,
    changed_from = excluded.changed_from,
    cluster = excluded.cluster,
    rules = excluded.rules;
