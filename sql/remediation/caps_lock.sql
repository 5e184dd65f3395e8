-- One worker at a time may charge the caps of a kind, until its transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('recon.actions caps of ' || cast(:kind AS text), 0));
