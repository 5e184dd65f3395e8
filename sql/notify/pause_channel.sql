-- Nothing more to this channel until paused_until.
INSERT INTO recon.channel_pauses AS p (channel, paused_until, failures, reason, gone, since)
VALUES (:channel, :paused_until, :failures, :reason, :gone, :now)
ON CONFLICT (channel) DO UPDATE
    SET
        paused_until = greatest(p.paused_until, excluded.paused_until),
        failures = greatest(p.failures, excluded.failures),
        reason = excluded.reason,
        gone = excluded.gone;
