-- One summary for each time of judgement.
INSERT INTO recon.notifications (dedupe_key, channel, kind, severity, body, next_attempt_at, created_at)
VALUES (
    concat('summary:', extract(EPOCH FROM cast(:as_of AS timestamptz))),
    '*',
    'summary',
    'LOW',
    cast(:body AS jsonb),
    :as_of,
    :as_of
)
ON CONFLICT (dedupe_key) DO NOTHING;
