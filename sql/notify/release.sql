-- The message did not get through: try again later. spent is 0 where the channel only asked us to wait.
-- Writes nothing when the lease has passed to another sender.
UPDATE recon.notifications
SET
    state = 'pending',
    attempts = attempts - 1 + :spent,
    next_attempt_at = :next_attempt_at,
    leased_until = NULL,
    last_error = :last_error
WHERE
    notification_id = :notification_id
    AND state = 'sending'
    AND leased_until = :leased_until;
