-- A provider's status in canonical words.
SELECT m.state
FROM recon.state_map AS m
WHERE m.provider = :provider AND m.resource = :resource AND m.raw_status = :raw_status;
