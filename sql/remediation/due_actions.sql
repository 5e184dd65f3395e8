-- What waits to be carried out: approved by people, or begun by somebody who did not come to an end.
SELECT
    a.action_id,
    a.finding_id,
    a.kind,
    a.report,
    a.amount,
    a.currency,
    a.target,
    a.effects,
    a.state,
    a.reason
FROM recon.actions AS a
WHERE
    a.state = 'approved'
    OR (a.state = 'applying' AND coalesce(a.leased_until, '-infinity') <= clock_timestamp())
ORDER BY a.action_id;
