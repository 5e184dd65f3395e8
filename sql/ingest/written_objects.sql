-- Which objects were written or marked as vanished since a moment.
-- noqa: disable=all
SELECT t.object_id, t.{created} AS created_at
FROM {table} AS t
WHERE t.account = %(account)s AND (t.read_at >= %(since)s OR t.vanished_at >= %(since)s) AND t.{created} < %(before)s;
