-- Is any object of these creation times stored, in whatever state?
-- noqa: disable=all
SELECT exists(
    SELECT 1 FROM {table} AS t
    WHERE t.account = %(account)s AND t.{created} >= %(start)s AND t.{created} < %(end)s
);
