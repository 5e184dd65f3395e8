-- These are told by a message that was sent for an earlier one of their thread.
UPDATE recon.notifications
SET
    state = 'superseded',
    message_id = :message_id
WHERE notification_id = any(:notifications) AND state = 'pending';
