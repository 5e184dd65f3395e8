-- There is nothing to change in this channel. Writes nothing when the lease has passed to another sender.
UPDATE recon.notifications
SET
    state = 'superseded',
    leased_until = NULL
WHERE
    notification_id = :notification_id
    AND state = 'sending'
    AND leased_until = :leased_until;
