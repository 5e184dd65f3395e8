-- Which stored objects outside these creation times may still change, or may come back having vanished only lately.
-- noqa: disable=all
SELECT t.object_id, t.{created} AS created_at
FROM {table} AS t
WHERE
    t.account = %(account)s
    AND (t.vanished_at IS NULL OR t.vanished_at >= %(vanished_since)s)
    AND (
        t.{status} = ANY(%(open_statuses)s)
        OR (%(final_statuses)s::text [] IS NOT NULL AND t.{status} <> ALL(%(final_statuses)s::text []))
    )
    AND NOT (t.{created} >= %(start)s AND t.{created} < %(end)s);
