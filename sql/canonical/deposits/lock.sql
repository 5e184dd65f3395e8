-- One matching of deposits at a time; released at the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('payments_pipeline.deposit_matches'));
