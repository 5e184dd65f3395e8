-- Remembers up to where recon.provider_transactions follows the raw tables.
INSERT INTO recon.canonical_mark (changed_from, cluster, rules, refreshed_at)
VALUES (cast(:changed_from AS xid8), :cluster, :rules, :as_of)
ON CONFLICT (only_one) DO UPDATE SET
    changed_from = excluded.changed_from,
    cluster = excluded.cluster,
    rules = excluded.rules,
    refreshed_at = excluded.refreshed_at;
