-- How long must this call wait for its slot, and how many calls a second are allowed now?
SELECT
    t.wait_seconds,
    t.allowed_rate
FROM recon.take_slot(:provider, :account, :endpoint, :ceiling, :recovery_seconds) AS t;
