-- The message can't be delivered. It is kept, and requeue_dead.sql gives it another life.
UPDATE recon.notifications
SET
    state = 'dead',
    leased_until = NULL,
    last_error = :last_error
WHERE
    notification_id = :notification_id
    AND state = 'sending'
    AND leased_until = :leased_until;
