"""A status that nobody knows is not final: the object is read again until it has one that is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.ingest.stored import open_days
from payments_pipeline.providers.base import Provider
from payments_pipeline.providers.nowpayments import NowPaymentsProvider
from payments_pipeline.providers.okx import OkxProvider
from payments_pipeline.sandbox.objects import nowpayments_payment, okx_deposit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.ingest.served import MONTH, NOW, configured, empty

MADE = NOW - timedelta(days=20)


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    empty(shared_engine)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState(clock=lambda: NOW)) as running:
        yield running


def _paid(sandbox: Sandbox, status: str) -> None:
    sandbox.state.nowpayments.payments["5000000001"] = nowpayments_payment(
        "5000000001", status=status, price=Decimal(10), price_currency="usd", pay_amount=Decimal(10),
        actually_paid=Decimal(10), order_id="o1", address="TAddress", tx_hash=None, created=MADE, updated=MADE,
    )  # fmt: skip


def _deposited(sandbox: Sandbox, state: str) -> None:
    sandbox.state.okx.deposits["901"] = okx_deposit(
        "901", state=state, amount=Decimal("1.5"), address="TAddress", tx_hash="0x1", at=MADE
    )


def _status_a_day_later(engine: Engine, provider: Provider, resource: str, change: Any) -> tuple[int, str]:
    """How many counted as open after a first read; the stored status after the change and an incremental run."""
    account, spec = provider.identify(), provider.resources[resource].spec
    origin: dict[str, Any] = {"as_of": NOW, "run_id": None, "clock": lambda: NOW}
    assert snapshot(engine, provider, account, resource, MONTH, mode="sweep", **origin).complete
    with engine.connect() as connection:
        still_open = sum(day.open for day in open_days(connection, account, spec, MONTH))
    change()
    later = NOW + timedelta(days=1)
    incremental(engine, provider, account, as_of=later, run_id=None, clock=lambda: later)
    with engine.connect() as connection:
        return still_open, connection.execute(text(f"SELECT status FROM recon.{spec.table}")).scalar_one()  # noqa: S608


def test_a_deposit_in_a_state_that_okx_added_is_read_again(engine: Engine, sandbox: Sandbox) -> None:
    _deposited(sandbox, "3")
    provider = OkxProvider(configured(sandbox), lambda: NOW, sleep=lambda _: None)
    assert _status_a_day_later(engine, provider, "deposits", lambda: _deposited(sandbox, "2")) == (1, "2")


def test_a_payment_in_a_status_that_nowpayments_added_is_read_again(engine: Engine, sandbox: Sandbox) -> None:
    _paid(sandbox, "on_hold")
    provider = NowPaymentsProvider(configured(sandbox), lambda: NOW, sleep=lambda _: None)
    assert _status_a_day_later(engine, provider, "payments", lambda: _paid(sandbox, "finished")) == (1, "finished")


def test_a_finished_payment_is_not_read_again(engine: Engine, sandbox: Sandbox) -> None:
    _paid(sandbox, "finished")
    provider = NowPaymentsProvider(configured(sandbox), lambda: NOW, sleep=lambda _: None)
    assert _status_a_day_later(engine, provider, "payments", lambda: _paid(sandbox, "refunded")) == (0, "finished")
