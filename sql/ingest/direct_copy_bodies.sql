-- Takes the provider's own words of objects that were never stored.
-- noqa: disable=all
COPY recon.raw_json (provider, account, resource, object_id, body, read_at) FROM STDIN (FORMAT binary);
