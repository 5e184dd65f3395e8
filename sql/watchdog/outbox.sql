-- What should have been sent before then, and waits?
SELECT
    count(*) AS waiting,
    min(n.next_attempt_at) AS oldest
FROM recon.notifications AS n
WHERE n.state IN ('pending', 'sending') AND n.next_attempt_at <= :late;
