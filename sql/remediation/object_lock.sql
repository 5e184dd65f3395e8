-- One action at a time may claim a provider's object, until its transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('recon.actions object ' || cast(:object_id AS text), 0));
