-- Which of these objects are stored already, and with which digest.
-- noqa: disable=all
SELECT t.object_id, t.digest
FROM {table} AS t
WHERE t.account = %(account)s AND t.object_id = ANY(%(ids)s) AND t.vanished_at IS NULL;
