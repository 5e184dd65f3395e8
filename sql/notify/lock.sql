-- One process at a time gives messages to channels or gathers them, while none is claimed.
SELECT pg_advisory_xact_lock(hashtextextended('notify.routing', 0));
