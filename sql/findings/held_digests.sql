-- Digests of resolved findings that are still held back and tell of one of these; they are taken out of the outbox.
UPDATE recon.notifications AS n
SET state = 'superseded'
WHERE
    n.channel = '*'
    AND n.state = 'pending'
    AND n.kind = 'digest'
    AND n.body ->> 'report' = :report
    AND n.body ->> 'change' = 'resolved'
    AND n.covers && cast(:findings AS bigint[])
RETURNING n.covers, n.next_attempt_at;
