-- What could not be read of the resources that the report needs: the rejected objects by id, and the payments that
-- their bodies name. Read as text, for a body that was rejected may not be JSON that the server can take apart.
CREATE TEMPORARY TABLE IF NOT EXISTS unreadable_refs ON COMMIT DROP AS
WITH rejected AS (
    SELECT
        r.provider,
        r.object_id,
        cast(r.body AS text) AS body
    FROM recon.rejected_objects AS r
    INNER JOIN
        unnest(cast(:providers AS text[]), cast(:resources AS text[])) AS n (provider, resource)
        ON r.provider = n.provider AND r.resource = n.resource
)

SELECT
    r.provider,
    r.object_id AS ref
FROM rejected AS r
UNION
SELECT
    r.provider,
    m.found[2] AS ref
FROM rejected AS r
CROSS JOIN
    LATERAL regexp_matches(r.body, '"(payment_intent|charge|parent_payment_id|txId)" ?: ?"?([^",{}]+)', 'g')
        AS m (found);
