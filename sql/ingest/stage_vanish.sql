-- Marks what the provider no longer has; the last row stays. A reading or confirmation of later than that stands.
-- noqa: disable=all
UPDATE {table} AS t
SET vanished_at = g.read_at
FROM unnest(%(ids)s::text[], %(read_at)s::timestamptz[]) AS g (object_id, read_at)
WHERE
    t.account = %(account)s AND t.object_id = g.object_id AND t.vanished_at IS NULL AND t.read_at <= g.read_at
    AND NOT EXISTS (
        SELECT 1
        FROM recon.confirmations AS c
        LEFT JOIN LATERAL unnest(c.page_read_at, c.created_from, c.created_to)
            AS p (read_at, created_from, created_to)
            ON p.read_at > g.read_at AND t.{created} BETWEEN p.created_from AND p.created_to
            AND t.object_id <> ALL(c.rejected)
        LEFT JOIN LATERAL unnest(c.object_ids, c.object_read_at) AS o (object_id, read_at)
            ON o.read_at > g.read_at AND o.object_id = t.object_id
        WHERE
            c.provider = %(provider)s AND c.account = %(account)s AND c.resource = %(resource)s
            AND c.newest_read_at > g.read_at
            AND (p.read_at IS NOT NULL OR o.read_at IS NOT NULL)
    );
