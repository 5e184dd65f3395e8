-- Findings that people work with, and an outbox with several channels.

-- found_*: as it was when it was opened; the other columns move on with each run. coverage_ids: the certificates by
-- which it was believed then. material: digest of what a person looked at when resolving; settled: that digest, for as
-- long as the resolution of a person holds although the row is still there. thread_id: the finding whose message tells
-- of this one, the first episode of an anomaly that flaps; null: itself. handled_*: the newest act of a person.
ALTER TABLE recon.findings ADD COLUMN found_evidence jsonb;
ALTER TABLE recon.findings ADD COLUMN found_severity text;
ALTER TABLE recon.findings ADD COLUMN coverage_ids bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE recon.findings ADD COLUMN run_id text;
ALTER TABLE recon.findings ADD COLUMN material text NOT NULL DEFAULT '';
ALTER TABLE recon.findings ADD COLUMN settled text;
ALTER TABLE recon.findings ADD COLUMN thread_id bigint;
ALTER TABLE recon.findings ADD COLUMN resolved_how text CHECK (resolved_how IN ('itself', 'action', 'person'));
ALTER TABLE recon.findings ADD COLUMN handled_by text;
ALTER TABLE recon.findings ADD COLUMN handled_at timestamptz;
ALTER TABLE recon.findings ADD COLUMN handled_reason text;
UPDATE recon.findings
SET
    found_evidence = evidence,
    found_severity = severity,
    resolved_how = CASE WHEN status = 'resolved' THEN 'itself' END;
CREATE INDEX findings_settled ON recon.findings (report) WHERE settled IS NOT NULL;
CREATE INDEX findings_snoozed ON recon.findings (snoozed_until) WHERE status = 'snoozed';
CREATE INDEX findings_opened ON recon.findings (opened_at);
CREATE INDEX findings_resolved ON recon.findings (resolved_at) WHERE status = 'resolved';

-- channel '*': not yet given to the channels; the others are what one channel shows. thread_id: messages of one thread
-- are one message where a channel can edit. covers: findings that a digest tells of. superseded: another message tells
-- it. message_id of one that is not sent: the place that is kept for it in the channel.
ALTER TABLE recon.notifications
DROP CONSTRAINT notifications_kind_check,
ADD CONSTRAINT notifications_kind_check CHECK (
    kind IN (
        'opened', 'risen', 'woken', 'reopened', 'acknowledged', 'snoozed', 'resolved', 'digest', 'summary', 'failure'
    )
),
DROP CONSTRAINT notifications_state_check,
ADD CONSTRAINT notifications_state_check CHECK (
    state IN ('pending', 'routed', 'sending', 'sent', 'superseded', 'dead')
),
ADD COLUMN thread_id bigint,
ADD COLUMN covers bigint[];
UPDATE recon.notifications SET thread_id = finding_id;
CREATE INDEX notifications_thread ON recon.notifications (thread_id, channel, notification_id);
CREATE INDEX notifications_dead ON recon.notifications (channel) WHERE state = 'dead';
ALTER TABLE recon.channel_pauses ADD COLUMN gone boolean NOT NULL DEFAULT FALSE;
DROP INDEX recon.notifications_due;
CREATE INDEX notifications_due ON recon.notifications (channel, next_attempt_at, notification_id)
WHERE state IN ('pending', 'sending');
