-- One merge at a time into one table of one account; released at the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('payments_pipeline.ingest'), hashtext(:name));
