"""The parts of payouts over HTTP: which payouts list them, whole lists, single items, and what can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import PermanentError
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Resource
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.providers.stripe_history import AS_OF, WINDOW, after, as_row, objects, one, provider


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState(clock=lambda: AS_OF)) as sandbox:
        yield sandbox


@pytest.fixture
def life(sandbox: Sandbox) -> StripeLife:
    return StripeLife(sandbox.state)


@pytest.fixture
def items(sandbox: Sandbox) -> Resource:
    return provider(sandbox.stripe_base).resources["payout_items"]


def income(life: StripeLife, number: int, currency: str = "usd") -> str:
    """The balance transaction of one more paid intent."""
    at = after(minutes=number)
    paid = life.succeed(life.create_intent(at=at, amount=2000, currency=currency)["id"], at=at)
    return str(life.state.stripe.charges[paid["latest_charge"]]["balance_transaction"])


def reconciled(life: StripeLife, parts: list[str], currency: str = "usd") -> str:
    made = life.create_payout(at=after(days=4), transactions=parts, currency=currency)
    life.pay_payout(made["id"], at=after(days=6))
    return str(made["id"])


def test_every_part_of_a_long_payout_is_listed_and_they_add_up(life: StripeLife, items: Resource) -> None:
    payout = reconciled(life, [income(life, number) for number in range(205)])
    rows = [as_row(items, obj) for obj in objects(items.pages(WINDOW))]
    assert len(rows) == len({row["object_id"] for row in rows}) == 206
    assert sum(row["net"] for row in rows) == 0
    assert {(row["payout_id"], row["payout_created_at"]) for row in rows} == {(payout, after(days=4))}


@pytest.mark.parametrize(("currency", "net"), [("jpy", Decimal(1912)), ("kwd", Decimal("1.912"))])
def test_amounts_follow_the_currency(life: StripeLife, items: Resource, currency: str, net: Decimal) -> None:
    payout = reconciled(life, [part := income(life, 1, currency)], currency)
    row = as_row(items, one(items.read(f"{payout}/{part}")))
    assert (row["type"], row["net"], row["currency"]) == ("charge", net, currency)


def test_payouts_that_list_no_parts_yet_or_ever_are_passed_over(life: StripeLife, items: Resource) -> None:
    open_payout = life.create_payout(at=after(days=4), transactions=[income(life, 1)])
    by_hand = life.create_payout(at=after(days=4), amount=500, automatic=False)
    life.pay_payout(by_hand["id"], at=after(days=6))
    assert objects(items.pages(WINDOW)) == []
    assert items.read(f"{open_payout['id']}/txn_1") is None
    assert items.read(f"{by_hand['id']}/txn_1") is None


def test_single_items_that_are_not_there(life: StripeLife, items: Resource) -> None:
    payout = reconciled(life, [income(life, 1)])
    assert items.read(f"{payout}/txn_nowhere") is None
    assert items.read("po_nowhere/txn_1") is None
    with pytest.raises(PermanentError, match="does not name an item"):
        items.read("txn_1")


def test_a_payout_that_cannot_be_read_takes_the_certificate_and_nothing_else(
    sandbox: Sandbox, life: StripeLife, engine: Engine
) -> None:
    payout = reconciled(life, [income(life, 1)])
    poisoned = {**sandbox.state.stripe.payouts[payout], "id": 7, "created": int(after(days=5).timestamp())}
    sandbox.state.stripe.payouts["po_poisoned"] = poisoned
    made = provider(sandbox.stripe_base)
    read = snapshot(
        engine, made, made.identify(), "payout_items", WINDOW,
        as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: AS_OF,
    )  # fmt: skip
    assert (read.complete, read.rejected) == (False, 1)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM recon.stripe_payout_items")).scalar_one() == 2


def test_windows_select_by_when_the_payout_was_made(life: StripeLife, items: Resource) -> None:
    reconciled(life, [income(life, 1)])
    early = type(WINDOW)(WINDOW.start, datetime(2026, 10, 4, tzinfo=UTC))
    late = type(WINDOW)(early.end, early.end + timedelta(days=3))
    assert objects(items.pages(early)) == []
    assert len(objects(items.pages(late))) == 2
