-- The channel has the message. Writes nothing when the lease has passed to another sender.
UPDATE recon.notifications
SET
    state = 'sent',
    message_id = :message_id,
    sent_at = :now,
    leased_until = NULL,
    last_error = NULL
WHERE
    notification_id = :notification_id
    AND state = 'sending'
    AND leased_until = :leased_until;
