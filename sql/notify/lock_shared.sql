-- Held while a message is claimed: nobody gives out or gathers messages meanwhile.
SELECT pg_advisory_xact_lock_shared(hashtextextended('notify.routing', 0));
