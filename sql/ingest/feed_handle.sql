-- Notes that the object an event speaks of was read after the event.
INSERT INTO recon.feed_events (provider, account, resource, event_id, object_id, at)
VALUES (:provider, :account, :resource, :event_id, :object_id, :at)
ON CONFLICT (provider, account, resource, event_id, object_id) DO NOTHING;
