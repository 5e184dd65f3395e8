-- Which reports have live findings about what an action has changed: its own finding, the same user or payment, or the
-- same object of a provider?
SELECT DISTINCT f.report
FROM recon.findings AS f
WHERE
    f.status <> 'resolved'
    AND (
        f.finding_id = :finding_id
        OR f.user_ref = cast(:user_ref AS text)
        OR f.payment_ref = cast(:payment_ref AS text)
    )
ORDER BY f.report;
