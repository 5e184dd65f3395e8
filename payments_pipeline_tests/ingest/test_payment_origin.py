"""A NOWPayments payment keeps parent and origin, which the call for a single one does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.snapshot import reread, snapshot
from payments_pipeline.providers.nowpayments import NowPaymentsProvider
from payments_pipeline.sandbox.objects import nowpayments_payment
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import Json, SandboxState
from payments_pipeline_tests.ingest.served import MONTH, NOW, configured, empty

CHILD = "5000000002"


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    empty(shared_engine)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState(clock=lambda: NOW)) as running:
        for number in ("5000000001", CHILD):
            parent = "5000000001" if number == CHILD else None
            running.state.nowpayments.payments[number] = _payment(number, parent)
        yield running


def _payment(number: str, parent: str | None) -> Json:
    made = NOW - timedelta(days=20)
    return nowpayments_payment(
        number, status="partially_paid", price=Decimal(10), price_currency="usd", pay_amount=Decimal(10),
        actually_paid=Decimal(4), order_id="o1", address="TAddress", tx_hash=None, created=made, updated=made,
        parent_id=parent,
    )  # fmt: skip


def _stored(engine: Engine) -> list[tuple[Any, ...]]:
    query = text(
        "SELECT p.parent_id, p.origin_type, p.digest, r.body::text FROM recon.nowpayments_payments AS p "
        "INNER JOIN recon.raw_json AS r ON p.object_id = r.object_id WHERE p.object_id = :id"
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query, {"id": CHILD})]


def test_list_and_single_reads_in_turn_leave_row_and_body_as_they_are(engine: Engine, sandbox: Sandbox) -> None:
    provider = NowPaymentsProvider(configured(sandbox), lambda: NOW, sleep=lambda _: None)
    account = provider.identify()
    seen, written = [], []
    for day in range(5):
        at = NOW + timedelta(days=day)
        origin: dict[str, Any] = {"as_of": at, "run_id": None, "clock": lambda at=at: at}
        if day % 2:
            made = incremental(engine, provider, account, **origin)
        else:
            made = [snapshot(engine, provider, account, "payments", MONTH, mode="sweep", **origin)]
        assert all(one.complete for one in made)
        written.append(sum(one.rows_written for one in made))
        seen.append(_stored(engine))
    assert any(request.path == f"/v1/payment/{CHILD}" for request in sandbox.requests)
    assert seen[0][0][:2] == ("5000000001", "REPEATED")
    assert seen == [seen[0]] * 5
    assert written == [2, 0, 0, 0, 0]


def test_a_payment_first_read_singly_is_stored_as_the_list_has_it(engine: Engine, sandbox: Sandbox) -> None:
    provider = NowPaymentsProvider(configured(sandbox), lambda: NOW, sleep=lambda _: None)
    account = provider.identify()
    origin: dict[str, Any] = {"as_of": NOW, "run_id": None, "clock": lambda: NOW}
    reread(engine, provider, account, "payments", [CHILD], mode="reread", **origin)
    singly = _stored(engine)
    snapshot(engine, provider, account, "payments", MONTH, mode="sweep", **origin)
    assert singly == _stored(engine)
    assert singly[0][0] == "5000000001"
