-- The stored objects created between two moments, at most so many: how many, the hashes of the bytes that they were
-- read from, and their digests; each hash and digest eight bytes, in the same order.
-- noqa: disable=all
SELECT
    count(*),
    string_agg(int8send(s.seen), ''::bytea),
    string_agg(int8send(s.digest), ''::bytea)
FROM (
    SELECT t.seen, t.digest
    FROM {table} AS t
    WHERE
        t.account = %(account)s AND t.{created} >= %(first)s AND t.{created} <= %(last)s
        AND t.vanished_at IS NULL AND t.seen IS NOT NULL
    LIMIT %(most)s
) AS s;
