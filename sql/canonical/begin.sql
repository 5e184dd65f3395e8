-- May this refresh look at what changed only, and at changes of how many transactions back? Null: look at everything,
-- because there is no mark, or it is another cluster's (a restored dump), or the rules changed, or it is too old for
-- 32-bit transaction ids, or somebody emptied the table. changed_from is this refresh's own mark: every transaction
-- before it is over.
WITH moment AS (
    SELECT
        pg_snapshot_xmin(pg_current_snapshot()) AS changed_from,
        recon.cluster_name() || '/' || d.oid AS cluster,
        md5(
            :rules || (
                SELECT string_agg(concat_ws('/', m.provider, m.resource, m.raw_status, m.state), ',' ORDER BY m)
                FROM recon.state_map AS m
            )
        ) AS rules
    FROM pg_database AS d
    WHERE d.datname = current_database()
),

numbered AS (
    SELECT
        n.*,
        k.changed_from AS stored_from,
        cast(cast(n.changed_from AS text) AS bigint) - cast(cast(k.changed_from AS text) AS bigint) AS passed
    FROM moment AS n
    LEFT JOIN recon.canonical_mark AS k ON n.cluster = k.cluster AND n.rules = k.rules
)

SELECT
    cast(n.changed_from AS text) AS changed_from,
    n.cluster,
    n.rules,
    -- age() counts from the same transaction for all rows of a transaction; what is newer than that has a negative age.
    CASE
        WHEN n.passed BETWEEN 0 AND 1000000000 AND EXISTS (SELECT 1 FROM recon.provider_transactions)
            THEN age(xid(n.stored_from))
    END AS changed_within
FROM numbered AS n;
