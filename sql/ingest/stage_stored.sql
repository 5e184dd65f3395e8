-- Is any of these objects stored, in whatever state?
-- noqa: disable=all
SELECT exists(
    SELECT 1 FROM {table} AS t WHERE t.account = %(account)s AND t.object_id = ANY(%(ids)s::text[])
);
