-- Until this transaction ends, what becomes of policies is what this version ships: nobody has to account for it.
SELECT set_config('recon.shipping', 'on', TRUE);
