-- What loosens a policy waits until a second person agrees; what is changed beside the commands shows in the audit.

-- Changes that one person has asked for. before is the policy that was in force for such actions then: once that has
-- changed, the request is about something else.
CREATE TABLE recon.policy_requests (
    policy_request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL,
    report text NOT NULL,
    changes jsonb NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    loosens text NOT NULL,
    asked_by text NOT NULL CHECK (btrim(asked_by) <> ''),
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'confirmed', 'refused')),
    decided_by text,
    decided_at timestamptz,
    CONSTRAINT policy_requests_second_person CHECK (
        state <> 'confirmed'
        OR coalesce(recon.same_person(decided_by) <> recon.same_person(asked_by), FALSE)
    ),
    CHECK (state = 'waiting' OR (decided_by IS NOT NULL AND decided_at IS NOT NULL))
);

-- is_shipped: written by a migration, or before this one. All others must stand in the audit trail.
ALTER TABLE recon.policy_versions ADD COLUMN is_shipped boolean NOT NULL DEFAULT TRUE;
ALTER TABLE recon.policy_versions ALTER COLUMN is_shipped SET DEFAULT FALSE;

CREATE OR REPLACE FUNCTION recon.keep_policy_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recon.policy_versions (changed_table, change, before, after, is_shipped)
    VALUES (
        TG_TABLE_NAME,
        lower(TG_OP),
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
        CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END,
        coalesce(current_setting('recon.shipping', TRUE), '') = 'on'
    );
    RETURN NULL;
END
$$;

-- No way past the history: neither by emptying a table nor under a replication role.
CREATE TRIGGER policies_no_truncate BEFORE TRUNCATE ON recon.policies
FOR EACH STATEMENT EXECUTE FUNCTION recon.refuse_rewrite();
CREATE TRIGGER policy_limits_no_truncate BEFORE TRUNCATE ON recon.policy_limits
FOR EACH STATEMENT EXECUTE FUNCTION recon.refuse_rewrite();
ALTER TABLE recon.policies ENABLE ALWAYS TRIGGER policies_versions;
ALTER TABLE recon.policies ENABLE ALWAYS TRIGGER policies_no_truncate;
ALTER TABLE recon.policy_limits ENABLE ALWAYS TRIGGER policy_limits_versions;
ALTER TABLE recon.policy_limits ENABLE ALWAYS TRIGGER policy_limits_no_truncate;
