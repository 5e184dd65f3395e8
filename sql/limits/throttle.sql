-- The provider said 429: pause, then go more slowly. How many calls a second are allowed now?
SELECT recon.throttle(
    :provider, :account, :endpoint, :ceiling, :recovery_seconds, :pause_seconds, :factor, :lowest
) AS allowed_rate;
