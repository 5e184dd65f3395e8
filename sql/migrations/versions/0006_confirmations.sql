-- What was read and found as it was stored, by the certificate it was read for. Unchanged objects write no row, so this
-- is what protects them from an older reading that comes later. Kept for as long as such a reading may be under way.

-- object_*: single objects and when each was read. page_read_at, created_*: answers of a list, when each was read, and
-- between which creation times it confirmed all that is stored. newest_read_at: the latest of all those readings.
CREATE TABLE recon.confirmations (
    coverage_id bigint PRIMARY KEY REFERENCES recon.coverage ON DELETE CASCADE,
    provider text NOT NULL,
    account text NOT NULL,
    resource text NOT NULL,
    newest_read_at timestamptz NOT NULL,
    object_ids text[] NOT NULL,
    object_read_at timestamptz[] NOT NULL,
    page_read_at timestamptz[] NOT NULL,
    created_from timestamptz[] NOT NULL,
    created_to timestamptz[] NOT NULL
);
CREATE INDEX confirmations_newest ON recon.confirmations (provider, account, resource, newest_read_at);
