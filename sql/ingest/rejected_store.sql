-- Sets one unreadable object aside, with the reason and the provider's words.
INSERT INTO recon.rejected_objects AS r (
    provider, account, resource, object_id, reason, body, first_seen_at, last_seen_at
) VALUES (
    :provider, :account, :resource, :object_id, :reason, cast(:body AS json), :seen_at, :seen_at
)
ON CONFLICT (provider, account, resource, object_id) DO UPDATE SET
    reason = excluded.reason,
    body = excluded.body,
    last_seen_at = greatest(r.last_seen_at, excluded.last_seen_at);
