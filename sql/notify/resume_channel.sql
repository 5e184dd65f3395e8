-- The channel took a message: its failures are forgotten. A pause that another sender has just asked for stays.
DELETE FROM recon.channel_pauses
WHERE channel = :channel AND paused_until <= :now;
