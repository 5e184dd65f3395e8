-- One writer of the chain at a time, until its transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('recon.audit_log append', 0));
