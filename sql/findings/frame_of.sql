-- What the newest message about a report said of the report itself.
SELECT n.body
FROM recon.notifications AS n
WHERE n.body ->> 'report' = :report AND n.body ? 'title'
ORDER BY n.notification_id DESC
LIMIT 1;
