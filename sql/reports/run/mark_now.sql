-- Up to which transaction all is over now, on which cluster, and by which rules beside the report's own: state map,
-- plans, and the contract views. Asked before the report's query, so that the next refresh misses nothing.
SELECT
    cast(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS changed_from,
    (
        SELECT recon.cluster_name() || '/' || cast(d.oid AS text)
        FROM pg_database AS d
        WHERE d.datname = current_database()
    ) AS cluster,
    md5(
        concat_ws(
            ',',
            (SELECT string_agg(cast(m AS text), ',' ORDER BY m) FROM recon.state_map AS m),
            (SELECT string_agg(cast(l AS text), ',' ORDER BY l.plan_id) FROM recon.app_plans AS l),
            (SELECT string_agg(cast(v AS text), ',' ORDER BY v.view_name) FROM recon.contract_views AS v)
        )
    ) AS rules;
