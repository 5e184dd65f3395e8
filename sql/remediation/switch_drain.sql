-- Waits until no repair is under way that began before the switch was set.
SELECT pg_advisory_xact_lock(hashtextextended('recon.repair_switch', 0));
