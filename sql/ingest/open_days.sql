-- How many objects, and how many that may still change, were created on each day: what listing them again would cost.
-- noqa: disable=all
SELECT
    date_trunc('day', t.{created}) AS day,
    count(*) AS objects,
    count(*) FILTER (
        WHERE t.vanished_at IS NULL
        AND (
            t.{status} = ANY(%(open_statuses)s)
            OR (%(final_statuses)s::text [] IS NOT NULL AND t.{status} <> ALL(%(final_statuses)s::text []))
        )
    ) AS open
FROM {table} AS t
WHERE t.account = %(account)s AND t.{created} >= %(start)s AND t.{created} < %(end)s
GROUP BY 1
ORDER BY 1 DESC;
