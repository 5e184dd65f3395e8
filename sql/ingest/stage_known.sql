-- Which objects of a batch are new or changed, by their places in it; and for each answer of the provider, between
-- which creation times it found stored objects as they are, and between which it brought stored objects at all.
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
        coalesce(t.digest = w.digest AND t.vanished_at IS NULL, FALSE) AS same
    FROM
        unnest(%(ids)s::text[], %(digests)s::bigint[], %(pages)s::integer[])
        WITH ORDINALITY AS w (object_id, digest, page, place)
    -- One by one: a table that was filled a moment ago has no statistics, and would be read whole for each batch.
    LEFT JOIN LATERAL (
        SELECT s.object_id, s.digest, s.vanished_at, s.{created} AS created
        FROM {table} AS s
        WHERE s.account = %(account)s AND s.object_id = w.object_id
        LIMIT 1
    ) AS t ON TRUE
) AS k
GROUP BY k.page;
