-- How often in a row a channel has failed.
SELECT p.failures FROM recon.channel_pauses AS p
WHERE p.channel = :channel;
