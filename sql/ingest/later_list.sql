-- Whether a complete list of this resource began after a moment.
-- noqa: disable=all
SELECT EXISTS (
    SELECT 1
    FROM recon.coverage AS c
    WHERE
        c.provider = %(provider)s AND c.account = %(account)s AND c.resource = %(resource)s
        AND c.complete AND c.window_from < c.window_to AND c.started_at > %(since)s
);
