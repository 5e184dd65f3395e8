-- Gives the dead messages of a channel another life, e.g. after its webhook was replaced.
UPDATE recon.notifications
SET
    state = 'pending',
    attempts = 0,
    next_attempt_at = :now
WHERE state = 'dead' AND channel = :channel;
