-- Two people are two people however their names are written, and what is append-only stays so for replication roles.

-- What two spellings of one name have in common; the last resort behind core/people.py, which knows more of cases.
CREATE FUNCTION recon.same_person(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(
        replace(
            lower(normalize(
                regexp_replace(name, '[\u00AD\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF]', '', 'g'),
                NFKC
            )),
            'ß', 'ss'
        ),
        '\s+', ' ', 'g'
    ))
$$;

-- Beside the unique index, which knows only case and outer spaces: the action's row is locked, so that of two at once
-- one waits. Approvals that were given before stay as they are.
CREATE OR REPLACE FUNCTION recon.check_approver() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    proposer text;
BEGIN
    SELECT a.proposed_by INTO proposer FROM recon.actions AS a
    WHERE a.action_id = NEW.action_id FOR NO KEY UPDATE;
    IF recon.same_person(proposer) = recon.same_person(NEW.approver) THEN
        RAISE EXCEPTION 'action %: its proposer can''t approve it', NEW.action_id;
    END IF;
    IF EXISTS (
        SELECT 1 FROM recon.approvals AS p
        WHERE p.action_id = NEW.action_id AND recon.same_person(p.approver) = recon.same_person(NEW.approver)
    ) THEN
        RAISE EXCEPTION 'action %: % approved it already', NEW.action_id, NEW.approver;
    END IF;
    RETURN NEW;
END
$$;

ALTER TABLE recon.audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
ALTER TABLE recon.audit_log ENABLE ALWAYS TRIGGER audit_log_no_truncate;
ALTER TABLE recon.approvals ENABLE ALWAYS TRIGGER approvals_append_only;
ALTER TABLE recon.approvals ENABLE ALWAYS TRIGGER approvals_no_truncate;
ALTER TABLE recon.approvals ENABLE ALWAYS TRIGGER approvals_approver;
ALTER TABLE recon.policy_versions ENABLE ALWAYS TRIGGER policy_versions_append_only;
ALTER TABLE recon.policy_versions ENABLE ALWAYS TRIGGER policy_versions_no_truncate;
