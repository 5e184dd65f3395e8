-- What those payments are worth: a table of its own, so that what follows is planned by what is there.
CREATE TEMPORARY TABLE entitlement_verdicts ON COMMIT DROP AS
SELECT
    v.*,
    v.is_paid AND coalesce(v.came >= v.asked * (1 - :tolerance), TRUE) AS counts
FROM entitlement_scope AS s
INNER JOIN LATERAL (
    -- The limit is a fence: verdicts are asked for by index, for these alone.
    SELECT * FROM recon.payment_verdicts AS w WHERE w.payment_id = s.payment_id ORDER BY w.payment_id LIMIT 1
) AS v ON TRUE;
