-- Which of these changed objects need no second look: a complete list of the window has just read them, or what is
-- stored was read well after the change.
-- noqa: disable=all
SELECT t.object_id
FROM unnest(%(ids)s::text[], %(known_from)s::timestamptz[]) AS w (object_id, known_from)
INNER JOIN {table} AS t ON t.account = %(account)s AND t.object_id = w.object_id
WHERE
    t.vanished_at IS NULL
    AND ((t.{created} >= %(start)s AND t.{created} < %(end)s) OR t.read_at >= w.known_from);
