"""A machine whose clock is ahead of the provider's claims no time that has not been there, and misses nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.ingest.backfill import backfill
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.sweep import sweep
from payments_pipeline.providers.base import Provider, Window
from payments_pipeline.providers.clocks import proved_ahead
from payments_pipeline.providers.nowpayments import NowPaymentsProvider
from payments_pipeline.providers.okx import OkxProvider
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.objects import nowpayments_payment, okx_deposit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.ingest.history_log import Time
from payments_pipeline_tests.ingest.served import NOW, configured, empty

AHEAD = timedelta(minutes=40)
MINUTE = timedelta(minutes=1)


class Scene:
    """Providers that tell their time, and a machine whose clock is ahead of it by `ahead`."""

    def __init__(self, sandbox: Sandbox, *, ahead: timedelta = AHEAD) -> None:
        self.sandbox, self.ahead, self.time = sandbox, ahead, Time(NOW)
        sandbox.load(SandboxState(clock=self.time.peek, tells_time=True), FaultPlan())
        self.life = StripeLife(sandbox.state)

    def machine(self) -> datetime:
        return self.time() + self.ahead

    def pass_by(self, minutes: int) -> None:
        self.time.pass_by(minutes * 60)

    def pay(self) -> str:
        """A new payment at each provider; the id at Stripe."""
        now, number = self.time.peek(), str(int(self.time.peek().timestamp()))
        state = self.sandbox.state
        state.okx.deposits[number] = okx_deposit(
            number, state="2", amount=Decimal(20), address="TAddress", tx_hash=f"0x{number}", at=now
        )
        state.nowpayments.payments[number] = nowpayments_payment(
            number, status="finished", price=Decimal(20), price_currency="usd", pay_amount=Decimal(20),
            actually_paid=Decimal(20), order_id=number, address="TAddress", tx_hash=None, created=now, updated=now,
        )  # fmt: skip
        return str(self.life.create_intent(at=now)["id"])

    def stripe(self) -> StripeProvider:
        return StripeProvider(configured(self.sandbox), self.machine, sleep=lambda _seconds: None)

    def bring_up(self, engine: Engine, provider: Provider, *resources: str) -> list[Coverage]:
        account = provider.identify()
        return incremental(
            engine, provider, account, as_of=self.machine(), run_id=None, clock=self.machine,
            resources=resources or None,
        )  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as running:
        yield running


@pytest.fixture
def scene(engine: Engine, sandbox: Sandbox) -> Scene:
    empty(engine)
    return Scene(sandbox)


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM recon.{table}")).scalar_one())  # noqa: S608


PROVIDERS: list[tuple[Callable[[Scene], Provider], str, str]] = [
    (Scene.stripe, "payment_intents", "stripe_payment_intents"),
    (
        lambda scene: NowPaymentsProvider(configured(scene.sandbox), scene.machine, sleep=lambda _seconds: None),
        "payments",
        "nowpayments_payments",
    ),
    (
        lambda scene: OkxProvider(configured(scene.sandbox), scene.machine, sleep=lambda _seconds: None),
        "deposits",
        "okx_deposits",
    ),
]


@pytest.mark.parametrize(("build", "resource", "table"), PROVIDERS, ids=["stripe", "nowpayments", "okx"])
def test_what_is_created_after_a_run_of_a_fast_clock_is_found_by_the_next_one(
    engine: Engine, scene: Scene, build: Callable[[Scene], Provider], resource: str, table: str
) -> None:
    provider = build(scene)
    scene.pay()
    scene.pass_by(5)
    for one in scene.bring_up(engine, provider, resource):
        assert one.complete
        assert one.window_to <= scene.time.peek() + timedelta(seconds=2), "claims time that has not been there"
    scene.pass_by(5)
    scene.pay()
    scene.pass_by(5)
    scene.bring_up(engine, provider, resource)
    assert count(engine, table) == 2


def test_a_change_after_a_reading_by_a_fast_clock_is_not_taken_for_known(engine: Engine, scene: Scene) -> None:
    scene.pass_by(5)
    name = scene.pay()
    scene.pass_by(60)
    provider = scene.stripe()
    scene.bring_up(engine, provider, "payment_intents")
    scene.pass_by(10)
    scene.life.succeed(name, at=scene.time.peek())
    scene.pass_by(5)
    scene.bring_up(engine, provider, "payment_intents")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT status FROM recon.stripe_payment_intents")).scalars().all() == [
            "succeeded"
        ]


def test_backfill_and_sweep_of_a_fast_clock_end_at_the_providers_present(engine: Engine, scene: Scene) -> None:
    provider = scene.stripe()
    account = provider.identify()
    window = Window(NOW - timedelta(days=1), NOW + timedelta(days=1))
    swept = sweep(engine, provider, account, "charges", window, as_of=scene.machine(), run_id=None, clock=scene.machine)
    filled = backfill(
        engine, provider, account, "refunds", window, as_of=scene.machine(), run_id=None, clock=scene.machine, ranges=2
    )
    limit = scene.time.peek() + timedelta(seconds=2)
    assert swept.complete
    assert NOW <= swept.window_to <= limit
    assert NOW <= filled[-1].window_to <= limit
    assert filled[-1].finished_at <= limit


def test_whoever_runs_is_told_that_the_clock_is_wrong(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        scene.stripe().identify()
    (record,) = caplog.records
    assert "at least 0:39:5" in record.getMessage()
    assert "set the clock by NTP" in record.getMessage()


@pytest.mark.parametrize("ahead", [timedelta(seconds=-90), timedelta(), timedelta(seconds=3)])
def test_a_clock_that_is_nearly_right_or_behind_is_left_as_it_is(
    scene: Scene, ahead: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    scene.ahead = ahead
    provider = scene.stripe()
    provider.identify()
    assert provider.own_time.ahead == timedelta()
    assert not caplog.records


def test_recorded_answers_of_another_year_do_not_move_the_clock(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.ahead = timedelta(days=400)
    provider = scene.stripe()
    provider.identify()
    assert provider.own_time.ahead == timedelta()
    assert "left as it is" in caplog.text


def test_a_server_without_a_date_leaves_the_clock_alone(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.sandbox.state.tells_time = False
    provider = scene.stripe()
    provider.identify()
    assert provider.own_time.ahead == timedelta()
    assert not caplog.records


def test_a_clock_that_was_set_right_is_trusted_again(scene: Scene) -> None:
    provider = scene.stripe()
    provider.identify()
    assert provider.own_time.ahead >= AHEAD - timedelta(seconds=1)
    scene.ahead = timedelta()
    provider.identify()
    assert provider.own_time.ahead == timedelta()


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 01 Nov 2026 12:00:00", "Sun, 01 Nov 2026 11:59:59 GMT"])
def test_no_date_and_an_honest_one_prove_nothing(date: str | None) -> None:
    assert proved_ahead(date, datetime(2026, 11, 1, 12, 0, 0, 400_000, tzinfo=UTC)) <= timedelta(seconds=0.4)


def test_the_second_that_a_date_leaves_out_is_not_counted() -> None:
    sent = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    assert proved_ahead(format_datetime(sent, usegmt=True), sent + MINUTE) == timedelta(seconds=59)
