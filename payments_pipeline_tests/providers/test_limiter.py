"""Rate limits: kept over threads and processes, adapted after a 429, and never the reason why nothing is read."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from payments_pipeline.config import load_settings
from payments_pipeline.errors import TransientError
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.providers.limiter import (
    FIRST_SLOWDOWN,
    LOWEST_SHARE,
    PAUSE_SECONDS,
    SAME_BURST_SECONDS,
    SLOWDOWN,
    Limit,
    LocalSlots,
    RateLimiter,
    SharedSlots,
)
from payments_pipeline.providers.stripe_calls import StripeCalls
from payments_pipeline.sandbox.failures import RateLimit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.providers.conversation import conversation

ALLOWED = 40
RATE = 37.0
SECONDS = 3.0
TRIES = 5
STALL_SECONDS = 0.04
LIMIT = Limit("stripe", "acct_1", 10.0)
AS_OF = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LOCK = text("UPDATE recon.rate_limits SET throttles = throttles")
STORED = text("SELECT calls_per_second, throttles FROM recon.rate_limits WHERE endpoint = :endpoint")


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    served.load(SandboxState())
    return served


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def alone(limit: Limit = LIMIT, **more: Any) -> tuple[RateLimiter, Time]:
    clock = Time()
    return RateLimiter(limit, sleep=clock.sleep, monotonic=clock, **more), clock


def paced(engine: Engine, limit: Limit = LIMIT) -> tuple[RateLimiter, list[float]]:
    """Slots from the database; sleeps are only written down."""
    slept: list[float] = []
    return RateLimiter(limit, SharedSlots(engine), sleep=slept.append), slept


def rate_of(engine: Engine, endpoint: str = "all") -> tuple[float, int]:
    with engine.connect() as connection:
        row = connection.execute(STORED, {"endpoint": endpoint}).one()
    return row.calls_per_second, row.throttles


def test_two_processes_of_four_threads_use_nine_tenths_of_the_limit_and_meet_no_429(
    engine: Engine, database: URL, sandbox: Sandbox
) -> None:
    # Calls that the machine itself holds up leave together, and are more than a second's share: that says nothing.
    for _ in range(TRIES):
        sandbox.load(SandboxState())
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE recon.rate_limits"))
        failed, stall, used = _called_by_two(database, sandbox)
        if stall < STALL_SECONDS or (failed == 0 and used >= 0.9 * ALLOWED):
            break
    assert failed == 0
    assert {request.status for request in sandbox.requests} == {200}
    assert 0.9 * ALLOWED <= used <= ALLOWED
    assert rate_of(engine) == (RATE, 0)


def _called_by_two(database: URL, sandbox: Sandbox) -> tuple[int, float, float]:
    """How many calls failed, the longest stall of a process in seconds, and calls a second of both together."""
    sandbox.faults.limits["stripe"] = RateLimit(ALLOWED)
    order = {
        "database_url": database.render_as_string(hide_password=False),
        "base": sandbox.stripe_base,
        "rate": RATE,
        "seconds": SECONDS,
    }
    command = [sys.executable, "-m", "payments_pipeline_tests.providers.callers"]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    told = [process.communicate("go\n", timeout=60)[0].split() for process in _told_at_once(processes)]
    times = sorted(request.time for request in sandbox.requests)
    used = (len(times) - 1) / (times[-1] - times[0]).total_seconds()
    return sum(int(failed) for failed, _ in told), max(float(stall) for _, stall in told), used


def _told_at_once(processes: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def test_calls_are_evenly_spaced_and_only_one_missed_slot_is_made_up_for() -> None:
    limiter, clock = alone()
    for _ in range(4):
        limiter.acquire()
    assert clock.slept == pytest.approx([0.1, 0.1, 0.1])
    clock.now += 60
    clock.slept.clear()
    for _ in range(4):
        limiter.acquire()
    assert clock.slept == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(("asked", "pause"), [(None, 0.25), (7.0, 7.0), (0.0, 0.0), (86_400.0, 600.0)])
def test_after_a_429_everybody_pauses_as_asked_and_goes_on_more_slowly(
    engine: Engine, asked: float | None, pause: float
) -> None:
    one, _ = paced(engine)
    other, waits = paced(engine)
    one.acquire()
    one.throttled(asked)

    if pause > 180:
        with pytest.raises(TransientError, match="another 6") as caught:
            other.acquire()
        assert caught.value.retry_after == pytest.approx(pause, abs=0.5)
    else:
        other.acquire()
        assert sum(waits) == pytest.approx(pause, abs=0.3)
    assert other.rate == pytest.approx(10 * FIRST_SLOWDOWN, abs=0.2) or pause > 180
    assert rate_of(engine)[1] == 1


def test_the_429s_of_calls_already_under_way_slow_down_once(engine: Engine) -> None:
    limiter, _ = paced(engine)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(limiter.throttled, [None] * 8))
    rate, throttles = rate_of(engine)
    assert rate == pytest.approx(10 * FIRST_SLOWDOWN)
    assert throttles == 8


def test_a_429_before_the_rate_has_recovered_slows_down_more(engine: Engine) -> None:
    limiter, slept = paced(engine)
    limiter.throttled(None)
    limiter.acquire()
    time.sleep(SAME_BURST_SECONDS)
    limiter.throttled(None)
    limiter.acquire()
    assert limiter.rate == pytest.approx(10 * FIRST_SLOWDOWN * SLOWDOWN, abs=0.3)
    assert slept[-1] == pytest.approx(PAUSE_SECONDS, abs=0.3)


def test_the_rate_recovers_to_its_ceiling_and_not_beyond(engine: Engine) -> None:
    limiter, _ = paced(engine, Limit("stripe", "acct_1", 10.0, recovery_seconds=5.0))
    limiter.throttled(0.0)
    limiter.acquire()
    low = limiter.rate
    time.sleep(0.15)
    limiter.acquire()
    middle = limiter.rate
    time.sleep(0.5)
    limiter.acquire()
    assert 10 * FIRST_SLOWDOWN <= low < middle < limiter.rate == 10.0


def test_alone_the_rate_falls_recovers_and_has_a_floor() -> None:
    slots = LocalSlots(LIMIT)
    now = 0.0
    for _ in range(30):
        slots.throttle(now, 0.0, SLOWDOWN)
        now += 1.01
    assert slots.rate == pytest.approx(LOWEST_SHARE * 10, rel=0.6)
    slots.take(now + 60)
    assert 4 < slots.rate < 7
    slots.take(now + 130)
    assert slots.rate == 10


def test_a_limit_that_is_lower_than_configured_is_found_and_nothing_is_lost(sandbox: Sandbox, engine: Engine) -> None:
    """The sandbox tells no Retry-After at its own limit; each call still gets its answer."""
    sandbox.faults.limits["stripe"] = RateLimit(5, 0.2)
    limiter = RateLimiter(Limit("stripe", "acct_1", 100.0), SharedSlots(engine))
    calls = StripeCalls(
        "sk_test_sandbox", sandbox.stripe_base, timeout=5.0, max_attempts=8, sleep=lambda _: None, limiter=limiter
    )
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: calls.get("/v1/account")["id"], range(24)))
    assert answers == ["acct_sandbox"] * 24
    rate, throttles = rate_of(engine)
    assert rate < 100 * FIRST_SLOWDOWN * 1.05
    assert throttles < 20


def test_a_locked_row_stops_nobody_and_is_said_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    limiter, slept = paced(engine)
    limiter.acquire()
    with engine.connect() as other, other.begin(), caplog.at_level(logging.WARNING):
        other.execute(LOCK)
        began = time.monotonic()
        for _ in range(20):
            limiter.acquire()
        assert time.monotonic() - began < 3
    assert len(caplog.records) == 1
    assert "LockNotAvailable" in caplog.text
    assert slept, "paced by this process alone"


def test_a_database_that_is_gone_stops_nobody_and_no_password_is_told(caplog: pytest.LogCaptureFixture) -> None:
    gone = create_engine("postgresql+psycopg://someone:hunter2@127.0.0.1:9/nowhere")
    limiter, slept = paced(gone)
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: limiter.acquire(), range(12)))
    assert len(caplog.records) == 1
    assert "hunter2" not in caplog.text + repr(limiter)
    assert max(slept) > 0.1


def test_a_database_without_the_table_stops_nobody(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE recon.rate_limits CASCADE"))
    limiter, _ = paced(engine)
    with caplog.at_level(logging.WARNING):
        limiter.acquire()
        limiter.throttled(None)
    assert limiter.rate == pytest.approx(10 * FIRST_SLOWDOWN)
    assert "payments-pipeline db upgrade" in caplog.text


def test_limits_are_shared_again_when_the_database_is_back(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    clock = Time()
    limiter = RateLimiter(LIMIT, SharedSlots(engine, clock), sleep=lambda _: None)
    limiter.acquire()
    with engine.connect() as other, other.begin():
        other.execute(LOCK)
        limiter.acquire()
    clock.now += 60
    with caplog.at_level(logging.INFO):
        limiter.acquire()
    assert "shared again" in caplog.text


def test_a_connection_that_the_server_dropped_is_replaced_without_a_word(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    limiter, _ = paced(engine)
    limiter.acquire()
    with engine.begin() as connection, caplog.at_level(logging.WARNING):
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        limiter.acquire()
    assert caplog.records == []


def test_an_endpoint_has_its_own_limit_within_the_accounts() -> None:
    limiter, clock = alone(Limit("stripe", "acct_1", 10.0), endpoint_ceiling=2.0)
    charges = limiter.at("charges")
    for _ in range(4):
        charges.acquire()
    assert clock.now == pytest.approx(1.5, abs=0.01)
    limiter.at("refunds").acquire()
    assert clock.now == pytest.approx(1.5, abs=0.11)
    assert limiter.at("charges") is charges
    assert alone()[0].at("charges").limit.endpoint == "all"


@pytest.mark.parametrize(
    ("reason", "code", "slowed"),
    [
        ("endpoint-rate", "rate_limit", {"charges"}),
        ("global-rate", "rate_limit", {"all"}),
        ("", "rate_limit", {"all"}),
        ("", "lock_timeout", set()),
        ("resource-specific", "lock_timeout", set()),
    ],
)
def test_stripes_reason_tells_whose_limit_was_met(reason: str, code: str, slowed: set[str]) -> None:
    body = json.dumps({"error": {"code": code, "message": "too many", "type": "invalid_request_error"}}).encode()
    with conversation(lambda _path, _query: (429, body), {"Stripe-Rate-Limited-Reason": reason}) as talk:
        limiter, _ = alone(Limit("stripe", "acct_1", 50.0), endpoint_ceiling=20.0)
        calls = StripeCalls(
            "sk_test_1", talk.base_url, timeout=2, max_attempts=1, sleep=lambda _: None, limiter=limiter
        )
        with pytest.raises(TransientError):
            calls.get("/v1/charges/ch_1")
    found = {one.limit.endpoint for one in (limiter, limiter.at("charges")) if one.rate < one.limit.ceiling}
    assert found == slowed


@pytest.mark.parametrize("provider", ["stripe", "nowpayments", "okx"])
def test_every_client_waits_for_slots_and_slows_down(provider: str, engine: Engine, sandbox: Sandbox) -> None:
    values: dict[str, Any] = {
        name.lower(): value for name, value in sandbox.environment().items() if name.lower().startswith(provider)
    }
    (made,) = build_providers(load_settings(_env_file=None, **values), lambda: AS_OF, engine)
    fault = sandbox.faults.rate_limit(provider, times=1, retry_after=0.1)
    made.identify()
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT provider, throttles FROM recon.rate_limits ORDER BY throttles DESC")
        ).first()
    assert row is not None
    assert (fault.fired, row.provider, row.throttles) == (1, provider, 1)
