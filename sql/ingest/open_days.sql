-- How many objects, and how many that may still change, were created on each day: what listing them again would cost.
-- noqa: disable=all
SELECT
    date_trunc('day', t.{created}) AS day,
    count(*) AS objects,
    count(*) FILTER (WHERE t.{status} = ANY(%(statuses)s) AND t.vanished_at IS NULL) AS open
FROM {table} AS t
WHERE t.account = %(account)s AND t.{created} >= %(start)s AND t.{created} < %(end)s
GROUP BY 1
ORDER BY 1 DESC;
