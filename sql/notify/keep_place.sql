-- The channel keeps this place for the message. Writes nothing when the lease has passed to another sender.
UPDATE recon.notifications
SET message_id = :message_id
WHERE
    notification_id = :notification_id
    AND state = 'sending'
    AND leased_until = :leased_until;
