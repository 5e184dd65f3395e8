-- One person's approval of one action.
INSERT INTO recon.approvals (action_id, approver, approved_at, precondition_digest, note)
VALUES (:action_id, :approver, :at, :digest, :note);
