"""Every fault that a provider can have, over real HTTP through the ways in.

What a fault does to one call is tested beside the provider; here: what it leaves in the tables and certificates, and
that the next run makes it good. Kills and lost databases: test_crashes.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.ingest.coverage import latest
from payments_pipeline.ingest.sweep import sweep
from payments_pipeline.providers import stripe_lists
from payments_pipeline.providers.base import Provider, Window
from payments_pipeline.providers.nowpayments import NowPaymentsProvider
from payments_pipeline.providers.okx import OkxProvider
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline.sandbox.objects import nowpayments_payment, okx_deposit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.ingest.served import (
    ATTEMPTS,
    INTENTS,
    KEY,
    NOW,
    Sleeps,
    bring_up,
    calls,
    configured,
    empty,
    fill,
    ids,
    listed_to,
    pay,
    read,
    stripe,
)  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Seven payments at Stripe over the month, three a page."""
    monkeypatch.setattr(stripe_lists, "PAGE_LIMIT", 3)
    fill(running)
    return running


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    empty(shared_engine)


PASSING = {
    "429 with Retry-After": Fault("stripe", "rate_limited", INTENTS, page=2, times=2, retry_after=7.0),
    "429 without": Fault("stripe", "rate_limited", INTENTS, page=2, times=2),
    "500": Fault("stripe", "server_error", INTENTS, page=2, times=2),
    "a time-out": Fault("stripe", "hang", INTENTS, page=2, times=1),
    "half a body": Fault("stripe", "cut_body", INTENTS, page=2, times=2, applied=True),
    "half a JSON text": Fault("stripe", "invalid_json", INTENTS, page=2, times=1, applied=True),
    "an empty body": Fault("stripe", "empty_body", INTENTS, page=2, times=1, applied=True),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_in_mid_list_is_waited_out_and_leaves_no_trace(
    engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    sleep = Sleeps()
    script = PASSING[fault]
    broken = sandbox.faults.add(
        Fault(
            script.provider, script.kind, script.path, page=script.page, times=script.times,
            retry_after=script.retry_after, applied=script.applied,
        )
    )  # fmt: skip
    made = read(engine, stripe(sandbox, sleep, http_timeout_seconds=0.3))
    assert broken.fired == script.times
    assert (made.complete, made.objects, made.pages) == (True, 7, 3)
    assert ids(engine) == set(sandbox.state.stripe.payment_intents)
    assert len(sleep) == script.times
    assert script.retry_after is None or min(sleep) >= script.retry_after
    assert sum(sleep) < 120


LASTING = (
    "rate_limited",
    "server_error",
    "hang",
    "cut_body",
    "invalid_json",
    "empty_body",
    "unauthorized",
    "forbidden",
)


@pytest.mark.parametrize("kind", LASTING)
def test_a_lasting_fault_keeps_what_was_read_says_what_to_do_and_holds_the_watermark(
    engine: Engine, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.faults.add(Fault("stripe", kind, INTENTS, page=2, times=None, applied=True))
    provider = stripe(sandbox, http_timeout_seconds=0.2)
    before = len(sandbox.requests)
    made = {one.resource: one for one in bring_up(engine, provider, "payment_intents", "charges", "refunds")}
    assert not made["payment_intents"].complete
    assert made["charges"].complete, "one resource's failure leaves the others"
    assert made["refunds"].complete
    error = made["payment_intents"].error or ""
    assert "What to do: " in error
    assert KEY not in error
    assert len(ids(engine)) == 3, "the first page is kept"
    assert set(listed_to(engine)) == {"charges", "refunds"}
    retried = 1 if kind in {"unauthorized", "forbidden"} else ATTEMPTS
    assert calls(sandbox) == 1 + retried, "a permanent error is not retried, a transient one a bounded number of times"
    assert len(sandbox.requests) - before < 20
    sandbox.faults.clear()
    assert all(one.complete for one in bring_up(engine, provider, "payment_intents", "charges", "refunds"))
    assert ids(engine) == set(sandbox.state.stripe.payment_intents)


def test_a_feed_that_fails_stops_nobody_from_listing(engine: Engine, sandbox: Sandbox) -> None:
    bring_up(engine, stripe(sandbox), "payment_intents")
    late = next(iter(sandbox.state.stripe.payment_intents))
    later = NOW + timedelta(hours=1)
    sandbox.state.clock = lambda: later
    life = StripeLife(sandbox.state)
    life.refund(str(sandbox.state.stripe.payment_intents[late]["latest_charge"]), at=later - timedelta(minutes=20))
    new = pay(life, later - timedelta(minutes=10))
    sandbox.faults.server_error("stripe", "/v1/events", times=None)
    provider = StripeProvider(configured(sandbox), lambda: later, sleep=Sleeps())
    made = bring_up(engine, provider, "payment_intents", now=later)
    assert [one.complete for one in made if one.mode == "incremental"] == [True]
    assert any("What to do: " in (one.error or "") for one in made if not one.complete)
    assert new in ids(engine)
    assert refunded(engine, late) is False
    sandbox.faults.clear()
    assert all(one.complete for one in bring_up(engine, provider, "payment_intents", now=later))
    assert refunded(engine, late) is True


def test_a_feed_whose_first_reading_failed_is_whole_again_at_the_next_though_its_oldest_minute_has_left_it(
    engine: Engine, sandbox: Sandbox
) -> None:
    def is_complete(now: datetime) -> bool:
        provider = StripeProvider(configured(sandbox), lambda: now, sleep=Sleeps())
        sweep(
            engine, provider, provider.identify(), "events", Window(NOW - timedelta(days=90), NOW),
            as_of=NOW, run_id=None, clock=lambda: now,
        )  # fmt: skip
        with engine.connect() as connection:
            (one,) = latest(connection)
        return one.complete

    sandbox.faults.server_error("stripe", "/v1/events", times=None)
    assert not is_complete(NOW)
    sandbox.faults.clear()
    assert is_complete(NOW + timedelta(minutes=1))


def refunded(engine: Engine, intent: str) -> Any:
    statement = text("SELECT charge_refunded FROM recon.stripe_payment_intents WHERE object_id = :intent")
    with engine.connect() as connection:
        return connection.execute(statement, {"intent": intent}).scalar_one()


def test_a_token_that_runs_out_in_mid_listing_costs_nothing(engine: Engine, sandbox: Sandbox) -> None:
    for number in range(5):
        add_payment(sandbox, 4_000_000_000 + number)
    provider = NowPaymentsProvider(configured(sandbox), lambda: NOW, page_size=2, sleep=Sleeps())
    provider.identify()
    fault = sandbox.faults.unauthorized("nowpayments", "/v1/payment", page=2)
    made = read(engine, provider, "payments")
    assert fault.fired == 1
    assert made.complete
    assert len(ids(engine, "nowpayments_payments")) == 5


def add_payment(sandbox: Sandbox, number: int) -> None:
    sandbox.state.nowpayments.payments[str(number)] = nowpayments_payment(
        str(number), status="waiting", price=Decimal(20), price_currency="usd", pay_amount=Decimal(20),
        actually_paid=Decimal(0), order_id=None, address="TAddress", tx_hash=None, created=NOW - timedelta(days=2),
        updated=NOW - timedelta(days=2),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["stripe", "nowpayments", "okx"])
def test_one_poisoned_object_in_a_page_is_set_aside_until_it_can_be_read(
    engine: Engine, sandbox: Sandbox, name: str
) -> None:
    provider, resource, table, poison, heal = poisoned(sandbox, name)
    poison()
    (made, *_rest) = bring_up(engine, provider, resource)
    assert (made.complete, made.rejected) == (True, 1)
    assert len(ids(engine, table)) == 6
    assert resource in listed_to(engine)
    heal()
    later = NOW + timedelta(minutes=5)
    assert all(one.complete for one in bring_up(engine, provider, resource, now=later))
    assert len(ids(engine, table)) == 7
    assert ids(engine, "rejected_objects") == set()


def poisoned(sandbox: Sandbox, name: str) -> tuple[Provider, str, str, Any, Any]:
    """A provider with seven objects, its resource and table, and how one of them breaks and heals."""
    state = sandbox.state
    if name == "stripe":
        store, field, provider = state.stripe.payment_intents, "amount", stripe(sandbox)
        found: tuple[Provider, str, str] = (provider, "payment_intents", "stripe_payment_intents")
    elif name == "nowpayments":
        for number in range(7):
            add_payment(sandbox, 4_000_000_000 + number)
        store, field = state.nowpayments.payments, "price_amount"
        gateway = NowPaymentsProvider(configured(sandbox), lambda: NOW, page_size=3, sleep=Sleeps())
        found = (gateway, "payments", "nowpayments_payments")
    else:
        for number in range(7):
            at = NOW - timedelta(days=2, seconds=number)
            state.okx.deposits[str(number)] = okx_deposit(
                str(number), state="2", amount=Decimal("1.5"), address="TAddress", tx_hash=f"0x{number}", at=at
            )
        store, field = state.okx.deposits, "amt"
        found = (
            OkxProvider(configured(sandbox), lambda: NOW, page_size=100, sleep=Sleeps()),
            "deposits",
            "okx_deposits",
        )
    victim = list(store)[3]
    good = store[victim]
    return (
        *found,
        lambda: store.__setitem__(victim, {**good, field: "much"}),
        lambda: store.__setitem__(victim, good),
    )


def test_what_is_created_while_paging_neither_hides_nor_doubles_anything(engine: Engine, sandbox: Sandbox) -> None:
    life = StripeLife(sandbox.state)
    there = set(sandbox.state.stripe.payment_intents)

    def somebody_pays(_provider: str, path: str, page: int) -> None:
        if page > 1 and path == INTENTS:
            pay(life, NOW - timedelta(seconds=1))

    sandbox.faults.on_page = somebody_pays
    provider = stripe(sandbox)
    made = read(engine, provider)
    assert made.complete
    assert made.objects == 7
    assert ids(engine) == there
    sandbox.faults.on_page = None
    assert all(one.complete for one in bring_up(engine, provider, "payment_intents"))
    assert ids(engine) == set(sandbox.state.stripe.payment_intents)


@pytest.mark.parametrize("kind", ["server_error", "forbidden", "invalid_json"])
def test_objects_that_cannot_be_had_are_set_aside_and_hold_nothing_up(
    engine: Engine, sandbox: Sandbox, kind: Any
) -> None:
    """More of them than the failures in a row that would mean the provider."""
    life = StripeLife(sandbox.state)
    held = sorted(str(life.create_intent(at=NOW - timedelta(days=25, minutes=n))["id"]) for n in range(8))
    bring_up(engine, stripe(sandbox), "payment_intents")
    for one in held:
        life.succeed(one, at=NOW + timedelta(minutes=1))
    poisoned = set(held[1:6])
    for one in poisoned:
        sandbox.faults.add(Fault("stripe", kind, f"{INTENTS}/{one}", times=None, applied=True))
    for hours in (1, 2, 3, 4):
        later = NOW + timedelta(hours=hours)
        made = bring_up(engine, stripe_at(sandbox, later), "payment_intents", now=later)
        if all(one.complete for one in made):
            break
    assert all(one.complete for one in made), [one.error for one in made]
    assert unsettled(engine) == poisoned
    assert ids(engine, "rejected_objects") == poisoned
    with engine.connect() as connection:
        bodies = connection.execute(text("SELECT body ->> 'id' FROM recon.rejected_objects")).scalars()
        assert set(bodies) == poisoned, "the last known words, which name the payments in doubt"
    sandbox.faults.clear()
    later += timedelta(hours=1)
    assert all(one.complete for one in bring_up(engine, stripe_at(sandbox, later), "payment_intents", now=later))
    assert unsettled(engine) == ids(engine, "rejected_objects") == set()


@pytest.mark.parametrize("kind", ["unauthorized", "hang", "server_error"])
def test_a_provider_that_fails_for_every_object_ends_the_rereads(engine: Engine, sandbox: Sandbox, kind: Any) -> None:
    life = StripeLife(sandbox.state)
    held = [str(life.create_intent(at=NOW - timedelta(days=25, minutes=n))["id"]) for n in range(30)]
    bring_up(engine, stripe(sandbox), "payment_intents")
    for one in held:
        life.succeed(one, at=NOW + timedelta(minutes=1))
        sandbox.faults.add(Fault("stripe", kind, f"{INTENTS}/{one}", times=None))
    later = NOW + timedelta(hours=1)
    made = bring_up(
        engine, stripe_at(sandbox, later, http_max_attempts=1, http_timeout_seconds=0.2), "payment_intents", now=later
    )
    assert [one.complete for one in made if one.mode == "reread"] == [False]
    assert sum(request.path.startswith(f"{INTENTS}/") for request in sandbox.requests) < 12
    sandbox.faults.clear()
    assert all(one.complete for one in bring_up(engine, stripe_at(sandbox, later), "payment_intents", now=later))
    assert unsettled(engine) == set()


def stripe_at(sandbox: Sandbox, now: datetime, **changes: Any) -> StripeProvider:
    sandbox.state.clock = lambda: now
    return StripeProvider(configured(sandbox, **changes), lambda: now, sleep=Sleeps())


def unsettled(engine: Engine) -> set[str]:
    statement = text("SELECT object_id FROM recon.stripe_payment_intents WHERE status <> 'succeeded'")
    with engine.connect() as connection:
        return set(connection.execute(statement).scalars())
