-- As stage_known.sql, where objects may be told by the bytes that they were read from: equal ones mean that nothing
-- changed, different ones mean nothing.
-- noqa: disable=all
SELECT
    k.page,
    bit_xor(k.digest) FILTER (WHERE k.same) AS mixed,
    min(k.created) FILTER (WHERE k.same) AS same_from,
    max(k.created) FILTER (WHERE k.same) AS same_to,
    min(k.created) AS stored_from,
    max(k.created) AS stored_to,
    array_agg(k.place) FILTER (WHERE NOT k.same AND NOT k.new) AS changed,
    array_agg(k.place) FILTER (WHERE k.new) AS new,
    array_agg(k.digest) FILTER (WHERE k.same) AS digests
FROM (
    SELECT
        w.page,
        w.place,
        t.digest,
        t.created,
        t.object_id IS NULL AS new,
        (t.digest = w.digest OR t.seen = w.seen) IS TRUE AND t.vanished_at IS NULL AS same
    FROM
        unnest(%(ids)s::text[], %(digests)s::bigint[], %(seen)s::bigint[], %(pages)s::integer[])
        WITH ORDINALITY AS w (object_id, digest, seen, page, place)
    -- One by one: a table that was filled a moment ago has no statistics, and would be read whole for each batch.
    LEFT JOIN LATERAL (
        SELECT s.object_id, s.digest, s.seen, s.vanished_at, s.{created} AS created
        FROM {table} AS s
        WHERE s.account = %(account)s AND s.object_id = w.object_id
        LIMIT 1
    ) AS t ON TRUE
) AS k
GROUP BY k.page;
