"""Stripe's events as announcements: what each touches, over real HTTP, and what it can't say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest

from payments_pipeline.errors import FeedGapError, MalformedObjectError, WrongAccountError
from payments_pipeline.providers.base import ChangeFeed, Window
from payments_pipeline.providers.stripe_feed import announced
from payments_pipeline.providers.stripe_specs import STRIPE_SPECS
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.providers.stripe_history import AS_OF, START, WINDOW, History, after, provider

Touched = set[tuple[str, str]]


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    served.load(SandboxState(clock=lambda: AS_OF))
    return served


@pytest.fixture
def life(sandbox: Sandbox) -> StripeLife:
    return StripeLife(sandbox.state)


def touched(sandbox: Sandbox, window: Window = WINDOW) -> Touched:
    pages = list(provider(sandbox.stripe_base).changes(window))
    assert all(page.read_at == AS_OF and not page.unreadable for page in pages)
    return {(change.resource, change.object_id) for page in pages for change in page.changes}


def paid(life: StripeLife) -> dict[str, Any]:
    return life.succeed(life.create_intent(at=START)["id"], at=START)


def refund_fails(life: StripeLife) -> Touched:
    intent = paid(life)
    refund = life.refund(intent["latest_charge"], at=START)
    life.fail_refund(refund["id"], at=after(days=3))
    return {("refunds", refund["id"]), ("charges", intent["latest_charge"]), ("payment_intents", intent["id"])}


def dispute_opens(life: StripeLife) -> Touched:
    intent = paid(life)
    dispute = life.open_dispute(intent["latest_charge"], at=after(days=3))
    return {("disputes", dispute["id"]), ("charges", intent["latest_charge"]), ("payment_intents", intent["id"])}


def hold_is_captured(life: StripeLife) -> Touched:
    held = life.authorize(life.create_intent(at=START, manual=True)["id"], at=START)
    life.capture(held["id"], at=after(days=3))
    return {("charges", held["latest_charge"]), ("payment_intents", held["id"])}


def transfer_comes_back(life: StripeLife) -> Touched:
    transfer = life.create_transfer(at=START)
    reversal = life.reverse_transfer(transfer["id"], at=after(days=3))
    return {("transfers", transfer["id"]), ("transfer_reversals", f"{transfer['id']}/{reversal['id']}")}


def payout_fails(life: StripeLife) -> Touched:
    payout = life.create_payout(at=START, amount=900)
    life.pay_payout(payout["id"], at=START)
    life.fail_payout(payout["id"], at=after(days=3))
    return {("payouts", payout["id"])}


def checkout_completes(life: StripeLife) -> Touched:
    intent, checkout = paid(life), life.open_checkout(at=START)
    life.complete_checkout(checkout["id"], at=after(days=3), payment_intent=intent["id"])
    return {("checkout_sessions", checkout["id"]), ("payment_intents", intent["id"])}


def subscription_ends(life: StripeLife) -> Touched:
    subscription = life.create_subscription("cus_a", at=START)
    life.cancel_subscription(subscription["id"], at=after(days=3))
    return {("subscriptions", subscription["id"])}


def customer_moves(life: StripeLife) -> Touched:
    customer = life.create_customer(at=START, email="a@example.com")
    life.change_customer(customer["id"], at=after(days=3), email="b@example.com")
    return {("customers", customer["id"])}


@pytest.mark.parametrize(
    "happening",
    [
        refund_fails,
        dispute_opens,
        hold_is_captured,
        transfer_comes_back,
        payout_fails,
        checkout_completes,
        subscription_ends,
        customer_moves,
    ],
)
def test_an_event_announces_every_object_it_touches(
    sandbox: Sandbox, life: StripeLife, happening: Callable[[StripeLife], Touched]
) -> None:
    expected = happening(life)
    assert touched(sandbox, Window(after(days=2), AS_OF)) == expected


def test_what_the_feed_announces_can_be_read_and_is_what_the_specs_promise(sandbox: Sandbox) -> None:
    history = History(StripeLife(sandbox.state))
    made = provider(sandbox.stripe_base)
    promised = {spec.name: spec.event_types for spec in STRIPE_SPECS}
    kinds = {event["id"]: event["type"] for event in sandbox.state.stripe.events.values()}
    seen: set[str] = set()
    for page in made.changes(WINDOW):
        for change in page.changes:
            seen.add(change.resource)
            assert any(fnmatchcase(kinds[change.event_id], pattern) for pattern in promised[change.resource])
            assert made.resources[change.resource].read(change.object_id) is not None
    assert seen == {name for name, types in promised.items() if types}
    assert history["gone"]


def test_a_deleted_customer_is_announced_as_such_a_canceled_subscription_is_not(
    sandbox: Sandbox, life: StripeLife
) -> None:
    customer = life.create_customer(at=START)
    life.create_subscription(customer["id"], at=START)
    life.delete_customer(customer["id"], at=after(days=3))
    (page,) = provider(sandbox.stripe_base).changes(Window(after(days=2), AS_OF))
    assert {change.resource: (change.deleted, change.at) for change in page.changes} == {
        "customers": (True, after(days=3)),
        "subscriptions": (False, after(days=3)),
    }


def test_the_feed_is_read_across_pages_and_only_in_its_window(sandbox: Sandbox, life: StripeLife) -> None:
    made = [life.create_customer(at=after(seconds=number))["id"] for number in range(250)]
    window = Window(after(seconds=10), after(seconds=240))
    assert touched(sandbox, window) == {("customers", name) for name in made[10:240]}
    assert len(sandbox.requests) == 3


def test_a_time_that_the_feed_does_not_reach_is_refused_not_taken_for_quiet(sandbox: Sandbox) -> None:
    made = provider(sandbox.stripe_base)
    assert isinstance(made, ChangeFeed)
    assert list(made.changes(Window(AS_OF - made.reach, AS_OF)))
    with pytest.raises(FeedGapError, match="sweep"):
        list(made.changes(Window(AS_OF - made.reach - timedelta(seconds=1), AS_OF)))


def test_an_event_that_does_not_say_of_what_is_named_and_the_rest_goes_on(sandbox: Sandbox, life: StripeLife) -> None:
    good, bad = life.create_customer(at=START), life.create_customer(at=after(seconds=1))
    (poisoned,) = [
        event for event in sandbox.state.stripe.events.values() if event["data"]["object"]["id"] == bad["id"]
    ]
    poisoned["data"] = {"object": None}
    (page,) = provider(sandbox.stripe_base).changes(WINDOW)
    assert [change.object_id for change in page.changes] == [good["id"]]
    assert page.unreadable == [poisoned["id"]]


def test_a_live_event_behind_a_test_key_is_refused(sandbox: Sandbox, life: StripeLife) -> None:
    life.create_customer(at=START)
    for event in sandbox.state.stripe.events.values():
        event["livemode"] = True
    with pytest.raises(WrongAccountError, match="live mode"):
        touched(sandbox)


EVENT: dict[str, Any] = {"id": "evt_1", "type": "charge.refunded", "created": 1790900000}


def announce(kind: str, **obj: Any) -> Touched:
    found = announced(EVENT | {"type": kind, "data": {"object": obj}})
    assert all(change.at == datetime.fromtimestamp(1790900000, UTC) for change in found)
    return {(change.resource, change.object_id) for change in found}


def test_events_about_other_things_announce_nothing() -> None:
    assert announce("balance.available", object="balance") == set()
    assert announce("invoice.paid", object="invoice", id="in_1") == set()
    assert announce("customer.source.updated", object="card", id="card_1") == set()
    assert announce("charge.from_the_future", object="hologram", id="holo_1") == {("charges", "holo_1")}


def test_old_api_versions_carry_charges_and_refunds_along() -> None:
    assert announce(
        "payment_intent.succeeded", object="payment_intent", id="pi_1", charges={"data": [{"id": "ch_1"}]}
    ) == {
        ("payment_intents", "pi_1"),
        ("charges", "ch_1"),
    }
    assert announce("charge.refunded", object="charge", id="ch_1", refunds={"data": [{"id": "re_1"}]}) == {
        ("charges", "ch_1"),
        ("refunds", "re_1"),
    }


def test_an_object_that_does_not_say_its_kind_is_known_by_the_events_type() -> None:
    assert announce("charge.refund.updated", id="re_1", charge="ch_1", payment_intent={"id": "pi_1"}) == {
        ("refunds", "re_1"),
        ("charges", "ch_1"),
        ("payment_intents", "pi_1"),
    }
    assert announce("charge.dispute.created", id="du_1") == {("disputes", "du_1")}


@pytest.mark.parametrize(
    "event",
    [
        "evt_1",
        {},
        EVENT,
        EVENT | {"data": {"object": {"object": "charge"}}},
        EVENT | {"created": None, "data": {"object": {"object": "charge", "id": "ch_1"}}},
        EVENT | {"id": None, "data": {"object": {"object": "charge", "id": "ch_1"}}},
        EVENT | {"data": {"object": {"object": "charge", "id": "ch_1", "payment_intent": 7}}},
    ],
)
def test_an_event_that_hides_what_it_touches_is_malformed(event: object) -> None:
    with pytest.raises(MalformedObjectError):
        announced(event)
