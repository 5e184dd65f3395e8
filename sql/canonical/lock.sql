-- One refresh of the canonical layer at a time; released at the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('payments_pipeline.canonical'));
