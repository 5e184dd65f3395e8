-- Queues one alert for a run that failed; a second tick over the same run adds nothing.
INSERT INTO recon.notifications (
    dedupe_key, channel, kind, severity, body, next_attempt_at, created_at
)
VALUES (
    concat('run:', cast(:run_id AS text)),
    '*',
    'failure',
    'HIGH',
    jsonb_build_object(
        'title', concat('Run of ', cast(:job AS text), ' failed'),
        'why', cast(:error AS text),
        'what_to_do', 'Open the run; the first step in red says what is wrong.',
        'run_id', cast(:run_id AS text),
        'run_url', cast(:url AS text)
    ),
    :now,
    :now
)
ON CONFLICT (dedupe_key) DO NOTHING;
