-- Keeps whoever stops all repairs waiting until this transaction ends.
SELECT pg_advisory_xact_lock_shared(hashtextextended('recon.repair_switch', 0));
