-- Since when what a user has is as it is: a look at an earlier moment does not know what it was then. Null where the
-- application never wrote of a change. Its own time of the change counts a day later, for clocks ahead.
CREATE VIEW recon.access_since AS
SELECT
    u.user_id,
    greatest(
        u.subscription_updated_at + INTERVAL '1' DAY,
        (
            SELECT max(e.created_at)
            FROM recon.app_subscription_events AS e
            WHERE e.user_id = u.user_id AND (e.ends_access OR e.new_status IS NOT NULL OR e.new_tier IS NOT NULL)
        )
    ) AS unchanged_since
FROM recon.app_users AS u;
