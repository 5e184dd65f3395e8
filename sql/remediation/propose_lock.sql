-- One proposer at a time: two would wait for each other in the audit chain.
SELECT pg_advisory_xact_lock(hashtextextended('recon.actions propose', 0));
