"""The simulated Stripe beyond payments: every list, the events feed, and objects that change over time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import stripe

from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife

START = datetime(2026, 10, 1, tzinfo=UTC)
SECOND = int(START.timestamp())


def after(**delta: float) -> datetime:
    return START + timedelta(**delta)


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    served.load(SandboxState(clock=lambda: after(days=10)))
    return served


@pytest.fixture
def life(sandbox: Sandbox) -> StripeLife:
    return StripeLife(sandbox.state)


@pytest.fixture(scope="module")
def http_client() -> Iterator[stripe.RequestsClient]:
    session = requests.Session()
    yield stripe.RequestsClient(timeout=5, session=session)
    session.close()


@pytest.fixture
def v1(sandbox: Sandbox, http_client: stripe.RequestsClient) -> Any:
    """Stripe's client; untyped, because the tests also send what its types forbid."""
    base = {"api": sandbox.stripe_base}
    return stripe.StripeClient("sk_test_sandbox", base_addresses=base, http_client=http_client).v1  # type: ignore[arg-type]


def ids(page: Any) -> list[str]:
    return [item["id"] for item in page.auto_paging_iter()]


def told(state: SandboxState) -> list[str]:
    return [event["type"] for event in state.stripe.events.values()]


def paid(life: StripeLife, at: datetime = START, **options: Any) -> dict[str, Any]:
    intent = life.create_intent(at=at, **options)
    return life.succeed(intent["id"], at=at)


def test_disputes_are_listed_by_charge_intent_and_time(life: StripeLife, v1: Any) -> None:
    first, second = paid(life), paid(life)
    old = life.open_dispute(first["latest_charge"], at=after(hours=1))
    new = life.open_dispute(second["latest_charge"], at=after(hours=2))
    assert ids(v1.disputes.list()) == [new["id"], old["id"]]
    assert ids(v1.disputes.list({"charge": first["latest_charge"]})) == [old["id"]]
    assert ids(v1.disputes.list({"payment_intent": second["id"]})) == [new["id"]]
    assert ids(v1.disputes.list({"created": {"lt": SECOND + 7200}})) == [old["id"]]
    assert v1.disputes.retrieve(new["id"], {"expand": ["charge"]}).charge.disputed is True
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: status"):
        v1.disputes.list({"status": "lost"})


def test_payouts_are_listed_by_status_and_arrival_and_their_transactions_by_payout(life: StripeLife, v1: Any) -> None:
    income = [life.state.stripe.charges[paid(life)["latest_charge"]]["balance_transaction"] for _ in range(3)]
    automatic = life.create_payout(at=after(days=2), transactions=income[:2], arrival=after(days=4))
    manual = life.create_payout(at=after(days=3), amount=500, automatic=False, arrival=after(days=6))
    life.pay_payout(automatic["id"], at=after(days=4))
    assert automatic["amount"] == 2 * (2000 - 88)
    assert ids(v1.payouts.list({"status": "paid"})) == [automatic["id"]]
    assert ids(v1.payouts.list({"arrival_date": {"gte": SECOND + 5 * 86400}})) == [manual["id"]]
    settled = v1.balance_transactions.list({"payout": automatic["id"], "limit": 2})
    assert sorted(ids(settled)) == sorted([*income[:2], automatic["balance_transaction"]])
    with pytest.raises(stripe.InvalidRequestError, match="automatic transfers, not manual"):
        v1.balance_transactions.list({"payout": manual["id"]})
    with pytest.raises(stripe.InvalidRequestError, match="Invalid status"):
        v1.payouts.list({"status": "in_transit"})


def test_balance_transactions_are_listed_by_type_and_source_and_settle_untold(life: StripeLife, v1: Any) -> None:
    intent = paid(life)
    made = life.refund(intent["latest_charge"], at=after(hours=1), amount=500)
    assert ids(v1.balance_transactions.list({"type": "refund"})) == [made["balance_transaction"]]
    [income] = v1.balance_transactions.list({"source": intent["latest_charge"], "expand": ["data.source"]}).data
    assert (income.status, income.fee, income.net, income.source.object) == ("pending", 88, 1912, "charge")
    before = len(told(life.state))
    assert life.settle(at=after(days=2)) == 1
    assert v1.balance_transactions.retrieve(income.id).status == "available"
    assert len(told(life.state)) == before


def test_reversals_are_listed_under_their_transfer(life: StripeLife, v1: Any) -> None:
    one = life.create_transfer(at=START, destination="acct_a")
    other = life.create_transfer(at=after(seconds=1), destination="acct_b")
    parts = [life.reverse_transfer(one["id"], at=after(hours=n), amount=400)["id"] for n in (1, 2)]
    life.reverse_transfer(other["id"], at=after(hours=3))
    assert ids(v1.transfers.list({"destination": "acct_a"})) == [one["id"]]
    assert ids(v1.transfers.reversals.list(one["id"], {"limit": 1})) == parts[::-1]
    assert v1.transfers.reversals.retrieve(one["id"], parts[0]).amount == 400
    whole = v1.transfers.retrieve(one["id"])
    assert (whole.amount_reversed, whole.reversed, whole.reversals.total_count) == (800, False, 2)
    assert v1.transfers.retrieve(other["id"]).reversed is True
    with pytest.raises(stripe.InvalidRequestError, match="No such transfer reversal"):
        v1.transfers.reversals.retrieve(other["id"], parts[0])
    with pytest.raises(stripe.InvalidRequestError, match="No such transfer: 'tr_none'"):
        v1.transfers.reversals.list("tr_none")


def test_canceled_subscriptions_show_only_when_asked_for(life: StripeLife, v1: Any) -> None:
    live = life.create_subscription("cus_a", at=START)
    ended = life.create_subscription("cus_a", at=after(hours=1))
    unpaid = life.create_subscription("cus_b", at=after(hours=2), status="incomplete_expired")
    leaving = life.create_subscription("cus_b", at=after(hours=3))
    life.cancel_subscription(ended["id"], at=after(hours=4))
    life.cancel_subscription(leaving["id"], at=after(hours=4), at_period_end=True)
    subscriptions = v1.subscriptions
    assert ids(subscriptions.list()) == [leaving["id"], unpaid["id"], live["id"]]
    assert ids(subscriptions.list({"status": "all"})) == [leaving["id"], unpaid["id"], ended["id"], live["id"]]
    assert ids(subscriptions.list({"status": "canceled"})) == [ended["id"]]
    assert ids(subscriptions.list({"status": "ended"})) == [unpaid["id"], ended["id"]]
    assert ids(subscriptions.list({"customer": "cus_a", "status": "all"})) == [ended["id"], live["id"]]
    assert ids(subscriptions.list({"price": "price_other"})) == []
    with pytest.raises(stripe.InvalidRequestError, match="Invalid status"):
        subscriptions.list({"status": "gone"})


def test_deleted_customer_says_so_leaves_lists_and_takes_subscriptions_along(life: StripeLife, v1: Any) -> None:
    kept = life.create_customer(at=START, email="kept@example.com")
    gone = life.create_customer(at=after(hours=1), email="gone@example.com")
    held = life.create_subscription(gone["id"], at=after(hours=1))
    life.delete_customer(gone["id"], at=after(hours=2))
    assert ids(v1.customers.list()) == [kept["id"]]
    assert ids(v1.customers.list({"email": "gone@example.com"})) == []
    assert v1.customers.retrieve(gone["id"]).to_dict() == {"id": gone["id"], "object": "customer", "deleted": True}
    ended = v1.subscriptions.retrieve(held["id"], {"expand": ["customer"]})
    assert (ended.status, ended.customer.deleted) == ("canceled", True)
    assert told(life.state)[-2:] == ["customer.subscription.deleted", "customer.deleted"]
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        v1.customers.list({"starting_after": gone["id"]})


def test_checkout_is_found_by_its_intent_once_completed(life: StripeLife, v1: Any) -> None:
    intent = paid(life)
    session = life.open_checkout(at=START, reference="order-7")
    idle = life.open_checkout(at=after(minutes=1))
    assert told(life.state)[-1] == "payment_intent.succeeded"
    life.complete_checkout(session["id"], at=after(minutes=2), payment_intent=intent["id"], email="a@example.com")
    life.expire_checkout(idle["id"], at=after(days=1))
    sessions = v1.checkout.sessions
    assert ids(sessions.list({"payment_intent": intent["id"]})) == [session["id"]]
    assert ids(sessions.list({"status": "expired"})) == [idle["id"]]
    assert ids(sessions.list({"customer_details": {"email": "a@example.com"}})) == [session["id"]]
    assert sessions.retrieve(session["id"]).client_reference_id == "order-7"
    assert told(life.state)[-2:] == ["checkout.session.completed", "checkout.session.expired"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"type": "charge.*"}, ["charge.refunded", "charge.succeeded"]),
        ({"type": "refund.created"}, ["refund.created"]),
        ({"types": ["refund.created", "payment_intent.created"]}, ["refund.created", "payment_intent.created"]),
        ({"created": {"gt": SECOND}}, ["refund.created", "charge.refunded"]),
        ({"delivery_success": False}, ["refund.created", "charge.refunded"]),
        ({"delivery_success": True, "type": "charge.*"}, ["charge.succeeded"]),
    ],
)
def test_events_are_filtered(life: StripeLife, v1: Any, params: dict[str, Any], expected: list[str]) -> None:
    intent = paid(life)
    life.pending_webhooks = 1
    life.refund(intent["latest_charge"], at=after(hours=1))
    kinds = [event.type for event in v1.events.list({"limit": 2, **params}).auto_paging_iter()]
    assert sorted(kinds) == sorted(expected)


def test_event_holds_the_object_as_it_was_and_what_it_was_before(life: StripeLife, v1: Any) -> None:
    intent = paid(life)
    refund = life.refund(intent["latest_charge"], at=after(hours=1), status="pending")
    life.complete_refund(refund["id"], at=after(hours=2))
    life.fail_refund(refund["id"], at=after(days=3))
    [failed, arrived] = v1.events.list({"type": "refund.updated"}).data
    assert (arrived.data.object.status, arrived.data.previous_attributes.status) == ("succeeded", "pending")
    assert (failed.data.object.status, failed.created) == ("failed", SECOND + 3 * 86400)
    assert failed.api_version == life.state.stripe.api_version
    charge = v1.charges.retrieve(intent["latest_charge"])
    assert (charge.amount_refunded, charge.refunded) == (0, False)


def test_feed_goes_back_thirty_days_by_the_sandbox_clock(life: StripeLife, v1: Any) -> None:
    life.create_customer(at=START)
    life.create_customer(at=after(days=1))
    life.state.clock = lambda: after(days=30, hours=12)
    [event] = v1.events.list({"created": {"gte": SECOND - 86400}}).data
    assert event.created == SECOND + 86400
    old = next(iter(life.state.stripe.events))
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        v1.events.retrieve(old)
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        v1.events.list({"starting_after": old})


@pytest.mark.parametrize(
    "params",
    [
        {"type": "charge.*", "types": ["charge.failed"]},
        {"types": [f"charge.kind_{number}" for number in range(21)]},
        {"types": ["charge.*"]},
        {"types": "charge.failed"},
        {"delivery_success": "maybe"},
    ],
)
def test_events_refuse_what_the_reference_does_not_allow(v1: Any, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        v1.events.list(params)
    assert refused.value.http_status == 400


def test_change_the_feed_never_tells_still_happens(life: StripeLife, v1: Any) -> None:
    intent = life.create_intent(at=START, manual=True)
    life.authorize(intent["id"], at=START)
    life.capture(intent["id"], at=after(days=1), amount=1500, event=False)
    assert v1.payment_intents.retrieve(intent["id"]).amount_received == 1500
    assert [event.type for event in v1.events.list({"created": {"gt": SECOND}}).data] == []
    assert (
        "capture_before"
        not in life.state.stripe.charges[life.state.stripe.payment_intents[intent["id"]]["latest_charge"]][
            "payment_method_details"
        ]["card"]
    )


def test_capture_and_cancel_over_http_are_told_too(life: StripeLife, v1: Any) -> None:
    for step in ("capture", "cancel"):
        intent = life.create_intent(at=after(days=9), manual=True)
        life.authorize(intent["id"], at=after(days=9))
        getattr(v1.payment_intents, step)(intent["id"])
    assert told(life.state)[3:5] == ["charge.captured", "payment_intent.succeeded"]
    assert told(life.state)[-2:] == ["charge.refunded", "payment_intent.canceled"]


def test_reader_sees_whole_operations_while_another_thread_makes_history(life: StripeLife, v1: Any) -> None:
    def live() -> None:
        for number in range(400):
            paid(life, after(seconds=number // 10))

    writer = threading.Thread(target=live)
    writer.start()
    seen: set[str] = set()
    while writer.is_alive() or not seen:
        page = v1.payment_intents.list({"limit": 100, "expand": ["data.latest_charge"]})
        for intent in page.data:
            seen.add(intent.id)
            whole = (intent.status, intent.amount_received, intent.latest_charge and intent.latest_charge.captured)
            assert whole in {("requires_payment_method", 0, None), ("succeeded", 2000, True)}
    writer.join()
    assert len(ids(v1.payment_intents.list({"limit": 100}))) == 400
    assert len(ids(v1.events.list({"limit": 100}))) == 1200


def test_object_that_lost_its_time_is_still_a_cursor(life: StripeLife, v1: Any) -> None:
    names = [life.create_customer(at=after(hours=hour))["id"] for hour in range(3)]
    v1.customers.list()
    customers = life.state.stripe.customers
    customers[names[1]] = {**customers[names[1]], "created": None}
    assert ids(v1.customers.list({"limit": 1})) == names[::-1]
