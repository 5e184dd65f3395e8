"""A process of its own that calls a simulated Stripe from four threads, as fast as the shared limiter lets it.

Started by test_limiter.py: reads one JSON line, says ``ready``, waits for another line, calls until its time is over,
and says how many calls failed.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from payments_pipeline.db.engine import engine_for
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers.limiter import Limit, RateLimiter, SharedSlots
from payments_pipeline.providers.stripe_calls import StripeCalls

THREADS = 4
NAP = 0.005


def main() -> None:
    given = json.loads(sys.stdin.readline())
    shared = SharedSlots(engine_for(given["database_url"]))
    limiter = RateLimiter(Limit("stripe", "acct_sandbox", given["rate"]), shared)
    calls = StripeCalls(
        "sk_test_sandbox", given["base"], timeout=5.0, max_attempts=1, sleep=time.sleep, limiter=limiter
    )

    def call_until(end: float) -> int:
        failed = 0
        while time.monotonic() < end:
            try:
                calls.get("/v1/account")
            except PaymentsPipelineError:
                failed += 1
        return failed

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    end = time.monotonic() + given["seconds"]
    with ThreadPoolExecutor(THREADS + 1) as pool:
        held_up = pool.submit(longest_stall, end)
        failed = sum(pool.map(call_until, [end] * THREADS))
    sys.stdout.write(f"{failed} {held_up.result()}\n")


def longest_stall(end: float) -> float:
    """For how many seconds at most, until `end`, the machine let this process wait beyond what it asked for."""
    longest = 0.0
    while (asleep := time.monotonic()) < end:
        time.sleep(NAP)
        longest = max(longest, time.monotonic() - asleep - NAP)
    return longest


if __name__ == "__main__":
    main()
