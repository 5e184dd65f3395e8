-- Who else certified these creation times, or single objects, last.
-- noqa: disable=all
SELECT max(c.coverage_id)
FROM recon.coverage AS c
WHERE
    c.provider = %(provider)s AND c.account = %(account)s AND c.resource = %(resource)s
    AND ((c.window_from < %(end)s AND c.window_to > %(start)s) OR c.window_from >= c.window_to);
