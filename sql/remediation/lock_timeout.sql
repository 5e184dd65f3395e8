-- Waits at most this long for a lock, in this transaction only: an application that hangs must not hang us.
SELECT set_config('lock_timeout', :duration, TRUE);
