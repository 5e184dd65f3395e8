-- Notes what a fetch read and found as it was stored, so that an older reading that comes later can't undo it.
INSERT INTO recon.confirmations (
    coverage_id, provider, account, resource, newest_read_at, object_ids, object_read_at, page_read_at, created_from,
    created_to, rejected
) VALUES (
    :coverage_id, :provider, :account, :resource, :newest_read_at, :object_ids, :object_read_at, :page_read_at,
    :created_from, :created_to, :rejected
);
