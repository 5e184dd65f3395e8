-- Calls to providers, paced over all processes: when the next one may begin, and how fast they may follow each other.
-- Unlogged, because a call must not wait for a disk: after a crash or on a promoted replica limits begin afresh.
CREATE UNLOGGED TABLE recon.rate_limits (
    provider text NOT NULL,
    account text NOT NULL,
    endpoint text NOT NULL,
    calls_per_second double precision NOT NULL,
    next_slot timestamptz NOT NULL,
    adapted_at timestamptz NOT NULL,
    throttled_at timestamptz,
    throttles bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, account, endpoint)
) WITH (fillfactor = 20);

-- The locked row of one limit, with calls_per_second as it is now: after a 429 it grows by ceiling / recovery_seconds
-- each second until it is at the ceiling again. Rates that one process saw are capped by the ceiling of the caller.
CREATE FUNCTION recon.locked_rate_limit(
    of_provider text, of_account text, of_endpoint text,
    ceiling double precision, recovery_seconds double precision
) RETURNS recon.rate_limits
LANGUAGE plpgsql AS $$
DECLARE
    found_limit recon.rate_limits;
    moment timestamptz;
BEGIN
    LOOP
        SELECT l.* INTO found_limit FROM recon.rate_limits AS l
        WHERE l.provider = of_provider AND l.account = of_account AND l.endpoint = of_endpoint
        FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO recon.rate_limits (provider, account, endpoint, calls_per_second, next_slot, adapted_at)
        VALUES (of_provider, of_account, of_endpoint, ceiling, clock_timestamp(), clock_timestamp())
        ON CONFLICT DO NOTHING;
    END LOOP;
    moment := clock_timestamp();
    IF found_limit.throttled_at IS NULL THEN
        found_limit.calls_per_second := ceiling;
    ELSIF moment > found_limit.adapted_at THEN
        found_limit.calls_per_second := least(
            ceiling,
            found_limit.calls_per_second
            + extract(EPOCH FROM moment - found_limit.adapted_at) * ceiling / recovery_seconds
        );
    END IF;
    IF found_limit.calls_per_second >= ceiling THEN
        found_limit.throttled_at := NULL;
    END IF;
    found_limit.adapted_at := greatest(found_limit.adapted_at, moment);
    RETURN found_limit;
END
$$;

-- Reserve the next slot: seconds to wait for it, and the rate in force. One slot that nobody took in time is made up
-- for, older ones are gone. The lock's time-out belongs to this statement: a caller waits for slots, not for locks.
CREATE FUNCTION recon.take_slot(
    of_provider text, of_account text, of_endpoint text,
    ceiling double precision, recovery_seconds double precision,
    OUT wait_seconds double precision, OUT allowed_rate double precision
)
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
    taken recon.rate_limits := recon.locked_rate_limit(of_provider, of_account, of_endpoint, ceiling, recovery_seconds);
    moment timestamptz := clock_timestamp();
    gap interval := make_interval(secs => 1 / taken.calls_per_second);
    slot timestamptz := greatest(taken.next_slot, moment - gap);
BEGIN
    -- A clock that was set back, e.g. on another server after a failover, must not stop the calls for long.
    IF slot > moment + interval '10 minutes' THEN
        slot := moment;
    END IF;
    UPDATE recon.rate_limits AS l
    SET
        calls_per_second = taken.calls_per_second,
        next_slot = slot + gap,
        adapted_at = least(taken.adapted_at, moment + interval '10 minutes'),
        throttled_at = taken.throttled_at
    WHERE l.provider = of_provider AND l.account = of_account AND l.endpoint = of_endpoint;
    wait_seconds := greatest(0, extract(EPOCH FROM slot - moment));
    allowed_rate := taken.calls_per_second;
END
$$;

-- A call was refused with 429: nobody calls for `pause_seconds`, and from then on more slowly. Refusals within a second
-- of the first are of calls that were under way already, and slow nothing further.
CREATE FUNCTION recon.throttle(
    of_provider text, of_account text, of_endpoint text,
    ceiling double precision, recovery_seconds double precision,
    pause_seconds double precision, factor double precision, lowest double precision,
    OUT allowed_rate double precision
)
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
    struck recon.rate_limits := recon.locked_rate_limit(
        of_provider, of_account, of_endpoint, ceiling, recovery_seconds
    );
    moment timestamptz := clock_timestamp();
    pause_end timestamptz := moment + make_interval(secs => pause_seconds);
    fresh boolean := struck.throttled_at IS NULL OR moment > struck.throttled_at + interval '1 second';
BEGIN
    allowed_rate := struck.calls_per_second;
    IF fresh THEN
        allowed_rate := greatest(least(lowest, ceiling), allowed_rate * factor);
    END IF;
    UPDATE recon.rate_limits AS l
    SET
        calls_per_second = allowed_rate,
        next_slot = greatest(struck.next_slot, pause_end),
        adapted_at = greatest(struck.adapted_at, pause_end),
        throttled_at = CASE WHEN fresh THEN moment ELSE struck.throttled_at END,
        throttles = struck.throttles + 1
    WHERE l.provider = of_provider AND l.account = of_account AND l.endpoint = of_endpoint;
END
$$;
