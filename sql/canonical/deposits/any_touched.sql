-- Whether there is anything to judge.
SELECT EXISTS (SELECT 1 FROM touched_deposits) OR EXISTS (SELECT 1 FROM touched_payments);
