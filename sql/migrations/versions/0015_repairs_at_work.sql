-- Indexes for repairs that apply themselves: what is due (sensors), what was done about a payment or a user (timeline),
-- what became of a finding's repairs.
CREATE INDEX actions_of_finding ON recon.actions (finding_id, kind, state) WHERE finding_id IS NOT NULL;
CREATE INDEX actions_verified ON recon.actions (finished_at) WHERE state = 'verified' AND finding_id IS NOT NULL;
CREATE INDEX findings_to_repair ON recon.findings (finding_id) WHERE status = 'open' AND action IS NOT NULL;
CREATE INDEX findings_payment ON recon.findings (payment_ref) WHERE status <> 'resolved';
CREATE INDEX audit_log_action ON recon.audit_log (action_id) WHERE action_id IS NOT NULL;
CREATE INDEX audit_log_user ON recon.audit_log (user_ref) WHERE user_ref IS NOT NULL;
CREATE INDEX audit_log_payment ON recon.audit_log (payment_ref) WHERE payment_ref IS NOT NULL;
