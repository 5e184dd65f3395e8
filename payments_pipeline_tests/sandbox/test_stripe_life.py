"""Operations that make a simulated Stripe's history, and the index that lists follow; without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import orjson
import pytest
import stripe

from payments_pipeline.errors import PermanentError
from payments_pipeline.sandbox.listing import Listing, epoch_seconds
from payments_pipeline.sandbox.state import SandboxState, Store
from payments_pipeline.sandbox.stripe_life import StripeLife

START = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
def life() -> StripeLife:
    return StripeLife(SandboxState())


def after(**delta: float) -> datetime:
    return START + timedelta(**delta)


def told(state: SandboxState) -> list[str]:
    return [event["type"] for event in state.stripe.events.values()]


def paid(life: StripeLife) -> dict[str, Any]:
    return life.succeed(life.create_intent(at=START)["id"], at=START)


def each_step(life: StripeLife) -> None:
    """Every operation once or more, an hour apart."""
    hours = iter(range(1000))

    def at() -> datetime:
        return after(hours=next(hours))

    customer = life.create_customer(at=at(), email="a@example.com")["id"]
    life.change_customer(customer, at=at(), email="b@example.com")
    debit = life.create_intent(at=at(), customer=customer)["id"]
    life.decline(debit, at=at())
    life.process(debit, at=at())
    charge = life.succeed(debit, at=at())["latest_charge"]
    life.fail_refund(life.refund(charge, at=at(), amount=300)["id"], at=at())
    life.close_dispute(life.open_dispute(charge, at=at())["id"], at=at(), status="won")
    for end in (life.capture, life.cancel):
        hold = life.authorize(life.create_intent(at=at(), manual=True)["id"], at=at())
        end(hold["id"], at=at())
    payout = life.create_payout(at=at(), amount=900)["id"]
    life.send_payout(payout, at=at())
    life.pay_payout(payout, at=at())
    life.fail_payout(payout, at=at())
    life.reverse_transfer(life.create_transfer(at=at())["id"], at=at())
    subscription = life.create_subscription(customer, at=at())["id"]
    life.change_subscription(subscription, at=at(), status="past_due")
    life.cancel_subscription(subscription, at=at())
    life.complete_checkout(life.open_checkout(at=at())["id"], at=at(), payment_intent=debit)
    life.settle(at=after(days=40))
    life.delete_customer(customer, at=at())


def test_same_history_gives_the_same_objects_and_every_event_is_one_stripe_knows() -> None:
    first, second = SandboxState(), SandboxState()
    each_step(StripeLife(first))
    each_step(StripeLife(second))
    assert first.stripe == second.stripe
    known = set(get_args(stripe.Event.__annotations__["type"]))
    assert len(set(told(first))) > 30
    assert set(told(first)) <= known


def test_objects_are_replaced_so_that_what_was_returned_stays_as_it_was(life: StripeLife) -> None:
    intent = life.create_intent(at=START, manual=True)
    held = life.authorize(intent["id"], at=START)
    before = orjson.dumps([intent, held, *life.state.stripe.events.values()])
    life.cancel(intent["id"], at=after(days=7), reason="automatic", event=False)
    assert orjson.dumps([intent, held, *life.state.stripe.events.values()]) == before


@pytest.mark.parametrize("step", ["capture", "refund", "again", "missing"])
def test_impossible_steps_are_refused_and_change_nothing(life: StripeLife, step: str) -> None:
    intent = paid(life)
    before = orjson.dumps([dict(life.state.stripe.payment_intents), dict(life.state.stripe.charges)])
    steps: dict[str, Callable[[], object]] = {
        "capture": lambda: life.capture(intent["id"], at=START),
        "refund": lambda: life.refund(intent["latest_charge"], at=START, amount=2001),
        "again": lambda: life.succeed(intent["id"], at=START),
        "missing": lambda: life.pay_payout("po_none", at=START),
    }
    with pytest.raises(PermanentError, match="What to do"):
        steps[step]()
    assert orjson.dumps([dict(life.state.stripe.payment_intents), dict(life.state.stripe.charges)]) == before


def made(second: int) -> dict[str, Any]:
    return {"created": second}


@pytest.mark.parametrize(
    "change",
    [
        lambda store: (store.pop("a"), store.pop("b"), store.update(x=made(2), c=made(3))),
        lambda store: (store.__delitem__("c"), store.__setitem__("c", made(9))),
        lambda store: (store.popitem(), store.__setitem__("d", made(0))),
        lambda store: (store.clear(), store.__ior__({"a": made(5), "b": made(4), "c": made(3)})),
        lambda store: store.setdefault("d", made(0)),
        lambda store: store.pop("none", None),
    ],
)
def test_index_notices_any_mix_of_removed_and_added_objects(change: Callable[[Store], object]) -> None:
    store, listing = Store({"a": made(1), "b": made(2), "c": made(3)}), Listing(epoch_seconds)
    listing.keys(store)
    change(store)
    assert listing.keys(store) == sorted((obj["created"], name) for name, obj in store.items())
    assert len(listing.keys(Store())) == 0
