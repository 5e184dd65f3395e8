-- Which objects of a batch are new or changed, by their places in it; and for each answer of the provider,
-- between which creation times it confirmed stored objects as they are.
-- noqa: disable=all
SELECT
    w.page,
    bit_xor(t.digest) AS mixed,
    count(t.digest) AS confirmed,
    min(t.{created}) AS created_from,
    max(t.{created}) AS created_to,
    array_agg(w.place) FILTER (WHERE t.digest IS NULL) AS changed,
    array_agg(t.digest) FILTER (WHERE t.digest IS NOT NULL) AS digests
FROM
    unnest(%(ids)s::text[], %(digests)s::bigint[], %(pages)s::integer[])
    WITH ORDINALITY AS w (object_id, digest, page, place)
LEFT JOIN {table} AS t
    ON t.account = %(account)s AND t.object_id = w.object_id AND t.digest = w.digest AND t.vanished_at IS NULL
GROUP BY w.page;
