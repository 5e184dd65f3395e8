-- Which of these findings have a message of their own in some channel, shown or still on its way.
SELECT f.finding_id
FROM recon.findings AS f
WHERE
    f.finding_id = any(:findings)
    AND EXISTS (
        SELECT 1 FROM recon.notifications AS n
        WHERE
            n.thread_id = coalesce(f.thread_id, f.finding_id)
            AND n.kind IN ('opened', 'risen', 'woken', 'reopened', 'resolved')
            AND n.state IN ('pending', 'sending', 'sent')
    );
