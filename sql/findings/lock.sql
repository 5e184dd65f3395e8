-- One refresh of a report's findings at a time, until its transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('findings.' || :report, 0));
