-- One refresh of the canonical layer at a time; released at the end of the transaction, as is what it sets: large
-- hashes stay in memory, and nothing is compiled for statements that mostly find nothing to do.
SELECT
    pg_advisory_xact_lock(hashtext('payments_pipeline.canonical')),
    set_config('work_mem', '64MB', TRUE),
    set_config('jit', 'off', TRUE);
