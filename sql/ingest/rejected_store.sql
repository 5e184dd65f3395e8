-- Sets one unreadable object aside, with the reason and the provider's words. An object that could not be had at all
-- brings none: the last known ones stay, since they name the payments that are in doubt with it.
INSERT INTO recon.rejected_objects AS r (
    provider, account, resource, object_id, reason, body, first_seen_at, last_seen_at
) VALUES (
    :provider,
    :account,
    :resource,
    :object_id,
    :reason,
    cast(
        coalesce(
            nullif(cast(:body AS text), 'null'),
            (
                SELECT cast(j.body AS text)
                FROM recon.raw_json AS j
                WHERE
                    j.provider = :provider AND j.account = :account AND j.resource = :resource
                    AND j.object_id = :object_id
            ),
            'null'
        ) AS json
    ),
    :seen_at,
    :seen_at
)
ON CONFLICT (provider, account, resource, object_id) DO UPDATE SET
    reason = excluded.reason,
    body = CASE WHEN cast(excluded.body AS text) = 'null' THEN r.body ELSE excluded.body END,
    last_seen_at = greatest(r.last_seen_at, excluded.last_seen_at);
