-- The stored objects created between two moments, at most so many, in whatever state: how many, and of those that a
-- list brought and that are there the hashes of the bytes that they were read from, and their digests; each hash and
-- digest eight bytes, in the same order. Counting all of them keeps a wide range from being read to its end.
-- noqa: disable=all
SELECT
    count(*),
    string_agg(int8send(s.seen), ''::bytea) FILTER (WHERE s.seen IS NOT NULL AND s.vanished_at IS NULL),
    string_agg(int8send(s.digest), ''::bytea) FILTER (WHERE s.seen IS NOT NULL AND s.vanished_at IS NULL)
FROM (
    SELECT t.seen, t.digest, t.vanished_at
    FROM {table} AS t
    WHERE t.account = %(account)s AND t.{created} >= %(first)s AND t.{created} <= %(last)s
    LIMIT %(most)s
) AS s;
