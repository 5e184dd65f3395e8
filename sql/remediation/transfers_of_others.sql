-- Which of these transfers does the application name for another payout?
SELECT DISTINCT p.stripe_transfer_id
FROM recon.app_payouts AS p
WHERE
    p.stripe_transfer_id = any(cast(:transfers AS text[]))
    AND cast(p.payout_id AS text) IS DISTINCT FROM cast(:payout_id AS text);
