-- Which of these findings have a message of their own, which can be edited.
SELECT n.finding_id
FROM recon.notifications AS n
WHERE n.finding_id = any(:findings) AND n.kind = 'opened' AND n.channel = :channel;
