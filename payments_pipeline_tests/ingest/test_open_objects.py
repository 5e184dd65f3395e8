"""Property for providers without a feed: re-reading what is open is enough, whatever order things happen in.

A payment or deposit goes through its states while incremental runs come and go; some are killed, some meet a fault. The
last incremental run leaves the raw tables as the provider is, without any sweep.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.sweep import sweep
from payments_pipeline.providers.base import Account, Provider, Window
from payments_pipeline.providers.nowpayments import NowPaymentsProvider
from payments_pipeline.providers.nowpayments_objects import payment_row
from payments_pipeline.providers.okx import OkxProvider
from payments_pipeline.providers.okx_objects import deposit_row
from payments_pipeline.sandbox.objects import nowpayments_payment, okx_deposit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import Json, SandboxState
from payments_pipeline_tests.ingest.history_log import START, Time
from payments_pipeline_tests.ingest.history_runs import Killed
from payments_pipeline_tests.ingest.lots import SEED, share

NEXT = {
    "waiting": ("confirming", "expired"), "confirming": ("confirmed", "partially_paid", "failed"),
    "confirmed": ("sending",), "sending": ("finished",), "partially_paid": ("finished", "refunded"),
}  # fmt: skip
NEXT_DEPOSIT = {"0": ("1", "8"), "1": ("2", "12"), "8": ("0", "14"), "12": ("2",), "14": ("2",)}
FAULTS = ("server_error", "cut_body", "invalid_json", "rate_limit")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("new"), st.integers(1, 3)),
        st.tuples(st.just("advance"), st.integers(0, 99)),
        st.tuples(st.just("advance"), st.integers(0, 99)),
        st.tuples(st.just("wait"), st.sampled_from([0, 1, 60, 86_400, 20 * 86_400])),
        st.tuples(st.just("run"), st.just(0)),
        st.tuples(st.just("kill"), st.integers(1, 20)),
        st.tuples(st.sampled_from(FAULTS), st.integers(1, 3)),
    ),
    max_size=14,
)


class Clock:
    """The pipeline's clock: the provider's, until it kills the run."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.looks_left: int | None = None

    def __call__(self) -> datetime:
        if self.looks_left is not None:
            self.looks_left -= 1
            if self.looks_left < 0:
                raise Killed
        return self.time()


class Crypto:
    """A provider of crypto payments that lives, and the runs that read it."""

    def __init__(self, engine: Engine, sandbox: Sandbox, time: Time) -> None:
        self.engine, self.sandbox, self.time, self.clock = engine, sandbox, time, Clock(time)
        self.account: Account
        self.provider: Provider

    def step(self, what: str, number: int) -> None:
        match what:
            case "new":
                for _ in range(number):
                    self.new()
            case "advance":
                self.advance(random.Random(number))
            case "wait":
                self.time.pass_by(number)
            case "run":
                self.run()
            case "kill":
                self.clock.looks_left = number
                try:
                    self.run()
                except Killed:
                    pass
                finally:
                    self.clock.looks_left = None
            case fault:
                getattr(self.sandbox.faults, fault)(self.provider.name, times=number)
                self.run()
                self.sandbox.faults.clear()

    def run(self) -> list[Any]:
        origin: dict[str, Any] = {"as_of": self.clock(), "run_id": None, "clock": self.clock}
        return incremental(self.engine, self.provider, self.account, **origin)

    def stored(self) -> dict[str, tuple[Any, ...]]:
        (resource,) = self.provider.resources.values()
        columns = ", ".join(resource.spec.columns)
        statement = text(f"SELECT {columns} FROM recon.{resource.spec.table} WHERE vanished_at IS NULL")  # noqa: S608
        with self.engine.connect() as connection:
            return {row[0]: tuple(row) for row in connection.execute(statement)}

    def new(self) -> None:
        raise NotImplementedError

    def advance(self, chance: random.Random) -> None:
        raise NotImplementedError

    def truth(self) -> dict[str, tuple[Any, ...]]:
        raise NotImplementedError


class Gateway(Crypto):
    """NOWPayments with two payments a page."""

    def __init__(self, engine: Engine, sandbox: Sandbox, time: Time, configured: Settings) -> None:
        super().__init__(engine, sandbox, time)
        self.numbers = itertools.count(5_000_000_001)
        self.provider = NowPaymentsProvider(configured, self.clock, page_size=2, sleep=lambda _seconds: None)

    @property
    def payments(self) -> dict[str, Json]:
        return self.sandbox.state.nowpayments.payments

    def new(self) -> None:
        number, now = str(next(self.numbers)), self.time.peek()
        parents = sorted(self.payments)
        self.payments[number] = nowpayments_payment(
            number, status="waiting", price=Decimal(20), price_currency="usd", pay_amount=Decimal(20),
            actually_paid=Decimal(0), order_id=f"order-{number}", address="TAddress", tx_hash=None, created=now,
            updated=now, parent_id=parents[0] if parents and int(number) % 3 == 0 else None,
        )  # fmt: skip

    def advance(self, chance: random.Random) -> None:
        found = [name for name, one in self.payments.items() if one["payment_status"] in NEXT]
        if found:
            name = chance.choice(sorted(found))
            before = self.payments[name]
            status = chance.choice(NEXT[before["payment_status"]])
            now = self.time.peek().strftime("%Y-%m-%dT%H:%M:%S.000Z")
            self.payments[name] = {**before, "payment_status": status, "updated_at": now, "actually_paid": 20.0}

    def truth(self) -> dict[str, tuple[Any, ...]]:
        exact = {
            name: {**one, **{key: _exact(value) for key, value in one.items()}} for name, one in self.payments.items()
        }
        return {name: payment_row(one) for name, one in exact.items()}


class Exchange(Crypto):
    """OKX with two deposits a page."""

    def __init__(self, engine: Engine, sandbox: Sandbox, time: Time, configured: Settings) -> None:
        super().__init__(engine, sandbox, time)
        self.numbers = itertools.count(1)
        self.provider = OkxProvider(configured, self.clock, page_size=3, sleep=lambda _seconds: None)

    @property
    def deposits(self) -> dict[str, Json]:
        return self.sandbox.state.okx.deposits

    def new(self) -> None:
        number = str(900 + next(self.numbers))
        self.deposits[number] = okx_deposit(
            number, state="0", amount=Decimal("12.5"), address="TAddress", tx_hash=f"0x{number}", at=self.time.peek()
        )

    def advance(self, chance: random.Random) -> None:
        found = [name for name, one in self.deposits.items() if one["state"] in NEXT_DEPOSIT]
        if found:
            name = chance.choice(sorted(found))
            self.deposits[name] = {
                **self.deposits[name],
                "state": chance.choice(NEXT_DEPOSIT[self.deposits[name]["state"]]),
            }

    def truth(self) -> dict[str, tuple[Any, ...]]:
        return {name: deposit_row(one) for name, one in self.deposits.items()}


def _exact(value: Any) -> Any:
    """As the provider's client reads numbers."""
    return Decimal(str(value)) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as running:
        yield running


@pytest.fixture(scope="module")
def configured(sandbox: Sandbox) -> Settings:
    values: Mapping[str, Any] = {name.lower(): value for name, value in sandbox.environment().items()}
    return load_settings(_env_file=None, **values, http_max_attempts=2)


C = TypeVar("C", bound=Crypto)


def begun(
    kind: Callable[[Engine, Sandbox, Time, Settings], C], engine: Engine, sandbox: Sandbox, configured: Settings
) -> C:
    time = Time()
    sandbox.load(SandboxState(clock=time.peek))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "TRUNCATE recon.coverage, recon.watermarks, recon.raw_json, recon.nowpayments_payments, recon.okx_deposits "
            "CASCADE"
        )
    made = kind(engine, sandbox, time, configured)
    made.account = made.provider.identify()
    return made


@seed(SEED)
@settings(
    deadline=None, database=None, max_examples=share(0.2),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=steps)
def test_payments_that_are_open_are_read_until_they_are_settled(
    engine: Engine, sandbox: Sandbox, configured: Settings, steps: list[tuple[str, int]]
) -> None:
    gateway = begun(Gateway, engine, sandbox, configured)
    gateway.run()  # a first run after months would look back a month, and leave the rest to a backfill
    for what, number in steps:
        gateway.step(what, number)
    gateway.time.pass_by(2)
    made = gateway.run()
    assert all(one.complete for one in made), made
    assert gateway.stored() == gateway.truth()


@pytest.mark.parametrize("number", [1, 2])
def test_deposits_that_are_open_are_read_until_they_are_settled(
    engine: Engine, sandbox: Sandbox, configured: Settings, number: int
) -> None:
    """Few and short histories: the exchange's client keeps to six calls a second."""
    chance = random.Random(number)
    exchange = begun(Exchange, engine, sandbox, configured)
    exchange.step("new", 2)
    for what, how_much in (("run", 0), ("wait", 1), ("kill", chance.randrange(2, 6)), ("server_error", 1)):
        exchange.step("advance", chance.randrange(99))
        exchange.step("wait", 1)
        exchange.step("new", 2)
        exchange.step(what, how_much)
    exchange.time.pass_by(2)
    made = exchange.run()
    assert all(one.complete for one in made), made
    assert exchange.stored() == exchange.truth()


def test_an_expired_payment_that_a_late_deposit_revives_is_found_by_the_sweep(
    engine: Engine, sandbox: Sandbox, configured: Settings
) -> None:
    gateway = begun(Gateway, engine, sandbox, configured)
    gateway.step("new", 3)
    (first, *_rest) = sorted(gateway.payments)
    gateway.payments[first] = {**gateway.payments[first], "payment_status": "expired"}
    gateway.step("wait", 3600)
    gateway.run()
    gateway.step("wait", 86_400)
    late = gateway.time.peek().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    gateway.payments[first] = {
        **gateway.payments[first], "payment_status": "finished", "actually_paid": 20.0, "updated_at": late,
    }  # fmt: skip
    gateway.run()
    assert gateway.stored() != gateway.truth(), "nothing tells of it: this is what the sweep is for"
    window = Window(START - timedelta(days=1), gateway.clock())
    made = sweep(
        engine, gateway.provider, gateway.account, "payments", window,
        as_of=window.end, run_id=None, clock=gateway.clock,
    )  # fmt: skip
    assert made.complete
    assert gateway.stored() == gateway.truth()
