-- Forgets payouts that the application no longer has.
DELETE FROM recon.link_payouts AS k
USING pg_temp.changed_payouts AS c
WHERE k.payout_ref = c.payout_ref AND c.is_gone;
