-- The approvals that policy asks for are there.
UPDATE recon.actions SET state = 'approved'
WHERE action_id = :action_id AND state = 'proposed';
