-- A rehearsal: the database itself refuses any write until the transaction ends.
SELECT set_config('transaction_read_only', 'on', TRUE);
