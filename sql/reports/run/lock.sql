-- One run of a report at a time, until its transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('reports.' || :report, 0));
