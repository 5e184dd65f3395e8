"""Every Stripe resource through the official client: whole lists, single objects, rows, and what is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import MalformedObjectError, PermanentError, WrongAccountError
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Resource, Window
from payments_pipeline.providers.stripe_specs import STRIPE_SPECS
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState, Store
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.providers.conversation import conversation
from payments_pipeline_tests.providers.stripe_history import (
    AS_OF,
    START,
    WINDOW,
    History,
    after,
    as_row,
    objects,
    one,
    provider,
)

NAMES = [spec.name for spec in STRIPE_SPECS]
PRIVATE = (b"@", b"Ann", b"Rex", b"_secret_", b"receipt_url", b"billing_details", b"shipping", b"checkout.example.com")


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    served.load(SandboxState(clock=lambda: AS_OF))
    return served


@pytest.fixture
def history(sandbox: Sandbox) -> History:
    return History(StripeLife(sandbox.state))


def resource(sandbox: Sandbox, name: str) -> Resource:
    return provider(sandbox.stripe_base).resources[name]


def row_of(sandbox: Sandbox, name: str, object_id: str) -> dict[str, Any]:
    found = resource(sandbox, name)
    return as_row(found, one(found.read(object_id)))


def held(sandbox: Sandbox, name: str) -> set[str]:
    """Ids that the list must give, as the sandbox holds them."""
    if name == "payout_items":
        paid_out = sandbox.state.stripe.payout_transactions
        reconciled = [
            ref for ref in paid_out if sandbox.state.stripe.payouts[ref]["reconciliation_status"] == "completed"
        ]
        return {f"{payout}/{item}" for payout in reconciled for item in paid_out[payout]}
    store: Store = getattr(sandbox.state.stripe, name)
    if name == "transfer_reversals":
        return {f"{obj['transfer']}/{obj['id']}" for obj in store.values()}
    return {name for name, obj in store.items() if not obj.get("deleted")}


@pytest.mark.parametrize("name", NAMES)
def test_list_and_single_reading_agree_and_are_whole(sandbox: Sandbox, history: History, name: str) -> None:
    found = resource(sandbox, name)
    listed = objects(found.pages(WINDOW))
    assert listed
    assert {found.object_id(obj) for obj in listed} == held(sandbox, name)
    for obj in listed:
        again = one(found.read(found.object_id(obj)))
        assert orjson.dumps(again, option=orjson.OPT_SORT_KEYS) == orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
        assert found.row(again) == found.row(obj)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_personal_or_secret_is_kept(sandbox: Sandbox, history: History, name: str) -> None:
    for obj in sandbox.state.stripe.charges.values():
        obj |= {"receipt_email": "ann@example.com", "billing_details": {"email": "a@example.com", "name": "Ann"}}
        obj["receipt_url"] = "https://pay.example.com/receipts/1"
    for obj in sandbox.state.stripe.disputes.values():
        obj["evidence"] = {"customer_email_address": "ann@example.com", "customer_name": "Ann"}
    body = orjson.dumps(objects(resource(sandbox, name).pages(WINDOW)))
    assert [word for word in PRIVATE if word in body] == []


@pytest.mark.parametrize("name", NAMES)
def test_columns_fit_the_table_and_a_second_load_writes_nothing(
    sandbox: Sandbox, history: History, engine: Engine, name: str
) -> None:
    made = provider(sandbox.stripe_base)
    first, second = (
        snapshot(
            engine, made, made.identify(), name, WINDOW,
            as_of=AS_OF, mode="backfill", run_id=None, clock=lambda: AS_OF,
        )
        for _ in range(2)
    )  # fmt: skip
    assert (first.error, first.complete, first.rows_written) == (None, True, len(held(sandbox, name)))
    assert (second.error, second.rows_written) == (None, 0)
    spec = made.resources[name].spec
    with engine.connect() as connection:
        # Both names are constants of ours.
        stored = connection.execute(text(f"SELECT * FROM recon.{spec.table}")).mappings().all()  # noqa: S608
        known = set(
            connection.execute(
                text("SELECT raw_status FROM recon.state_map WHERE provider = 'stripe' AND resource = :name"),
                {"name": name},
            ).scalars()
        )
    if spec.status_column is not None:
        assert {row[spec.status_column] for row in stored} <= known
        assert spec.open_statuses <= known
    assert all(WINDOW.start <= row[spec.created_column] < WINDOW.end for row in stored)


@pytest.mark.parametrize("name", ["charges", "subscriptions", "transfer_reversals", "events", "checkout_sessions"])
def test_long_lists_come_whole_across_pages(sandbox: Sandbox, name: str) -> None:
    life = StripeLife(sandbox.state)
    for number in range(205):
        at = after(seconds=number // 3)
        match name:
            case "transfer_reversals":
                life.reverse_transfer(life.create_transfer(at=at)["id"], at=at)
            case "subscriptions":
                made = life.create_subscription("cus_a", at=at)
                life.cancel_subscription(made["id"], at=at)
            case "checkout_sessions":
                life.open_checkout(at=at)
            case _:
                life.succeed(life.create_intent(at=at)["id"], at=at)
    found = [resource(sandbox, name).object_id(obj) for obj in objects(resource(sandbox, name).pages(WINDOW))]
    assert len(found) == len(set(found))
    assert set(found) == held(sandbox, name)


def test_charges_say_what_their_status_does_not(sandbox: Sandbox, history: History) -> None:
    rows = {name: row_of(sandbox, "charges", history[name]) for name in ("charge", "held", "let go", "declined")}
    assert {name: row["capture_state"] for name, row in rows.items()} == {
        "charge": "captured", "held": "uncaptured", "let go": "released", "declined": "failed",
    }  # fmt: skip
    assert rows["held"]["status"] == "succeeded"
    assert rows["held"]["capture_before"] - rows["held"]["created_at"] == timedelta(days=7)
    assert rows["held"]["card_network"] == "visa"
    paid = rows["charge"]
    assert (paid["amount"], paid["amount_captured"], paid["amount_refunded"]) == (20, 20, 5)
    assert (paid["payment_intent_id"], paid["customer_id"]) == (history["intent"], "cus_payer")
    assert (paid["metadata_user_id"], paid["metadata_payment_id"], paid["metadata_app"]) == ("7", "70", "shop")
    assert paid["balance_transaction_id"] == history["income"]


def test_amounts_follow_each_currencys_exponent(sandbox: Sandbox, history: History) -> None:
    assert row_of(sandbox, "charges", history["yen"])["amount"] == Decimal(1999)
    assert row_of(sandbox, "charges", history["dinar"])["amount"] == Decimal("1.999")
    assert row_of(sandbox, "disputes", history["dispute"])["amount"] == Decimal("1.999")
    assert row_of(sandbox, "payouts", history["forint"])["amount"] == Decimal(10)
    assert row_of(sandbox, "transfers", history["yen transfer"])["amount_reversed"] == Decimal(700)
    assert row_of(sandbox, "transfer_reversals", history["yen reversal"])["amount"] == Decimal(700)
    assert row_of(sandbox, "subscriptions", history["ended"])["amount"] == Decimal("0.900")
    assert row_of(sandbox, "checkout_sessions", history["idle"])["amount"] == Decimal(5000)
    income = sandbox.state.stripe.charges[history["dinar"]]["balance_transaction"]
    money = row_of(sandbox, "balance_transactions", income)
    assert (money["amount"], money["fee"], money["net"]) == (Decimal("1.999"), Decimal("0.087"), Decimal("1.912"))


def test_a_dispute_knows_its_payment_and_its_deadline(sandbox: Sandbox, history: History) -> None:
    row = row_of(sandbox, "disputes", history["dispute"])
    assert (row["status"], row["charge_id"]) == ("needs_response", history["dinar"])
    assert row["payment_intent_id"] == sandbox.state.stripe.charges[history["dinar"]]["payment_intent"]
    assert row["evidence_due_at"] - row["created_at"] == timedelta(days=7)


def test_a_payout_that_read_paid_fails(sandbox: Sandbox, history: History) -> None:
    row = row_of(sandbox, "payouts", history["payout"])
    assert (row["status"], row["failure_code"], row["automatic"]) == ("failed", "account_closed", True)
    assert row["failure_balance_transaction_id"] in sandbox.state.stripe.balance_transactions


def test_reversals_beyond_the_ten_that_a_transfer_shows_are_listed(sandbox: Sandbox, history: History) -> None:
    found = resource(sandbox, "transfer_reversals")
    rows = [as_row(found, obj) for obj in objects(found.pages(WINDOW))]
    assert sum(row["transfer_id"] == history["transfer"] for row in rows) == 12
    paths = [request.path for request in sandbox.requests]
    assert paths == ["/v1/transfers", f"/v1/transfers/{history['transfer']}/reversals"]
    oldest = row_of(sandbox, "transfer_reversals", history["reversal"])
    assert oldest["object_id"] == f"{oldest['transfer_id']}/{oldest['reversal_id']}" == history["reversal"]
    assert oldest["transfer_created_at"] < oldest["created_at"]


def test_windows_of_reversals_go_by_their_transfer(sandbox: Sandbox, history: History) -> None:
    life = StripeLife(sandbox.state)
    old = life.create_transfer(at=START)
    late = life.reverse_transfer(old["id"], at=after(days=15))
    found = objects(resource(sandbox, "transfer_reversals").pages(Window(START, after(minutes=1))))
    assert [obj["id"] for obj in found] == [late["id"]]


def test_a_reversal_without_its_transfer_cannot_be_read(sandbox: Sandbox, history: History) -> None:
    found = resource(sandbox, "transfer_reversals")
    assert found.read(f"{history['transfer']}/trr_none") is None
    assert found.read("tr_none/trr_none") is None
    with pytest.raises(PermanentError, match="trr_1 does not name a reversal"):
        found.read("trr_1")


def test_balance_transactions_name_their_source(sandbox: Sandbox, history: History) -> None:
    row = row_of(sandbox, "balance_transactions", history["income"])
    assert (row["source_id"], row["type"], row["status"]) == (history["charge"], "charge", "pending")
    assert (row["amount"], row["fee"], row["net"]) == (Decimal(20), Decimal("0.88"), Decimal("19.12"))
    assert row["available_at"] - row["created_at"] == timedelta(days=2)


def test_a_checkout_ties_payer_order_and_intent_together(sandbox: Sandbox, history: History) -> None:
    row = row_of(sandbox, "checkout_sessions", history["checkout"])
    assert (row["payment_intent_id"], row["customer_id"]) == (history["intent"], history["customer"])
    assert (row["client_reference_id"], row["metadata_payment_id"]) == ("order-7", "70")
    assert (row["payment_state"], row["payment_status"]) == ("complete", "paid")
    assert row["email_sha256"] == sha256(b"ann@example.com").hexdigest()


def test_subscriptions_of_all_statuses_are_listed(sandbox: Sandbox, history: History) -> None:
    found = resource(sandbox, "subscriptions")
    rows = {row["object_id"]: row for row in (as_row(found, obj) for obj in objects(found.pages(WINDOW)))}
    assert {row["status"] for row in rows.values()} == {"active", "canceled"}
    live, ended = rows[history["subscription"]], rows[history["ended"]]
    assert (live["customer_id"], live["amount"], live["period"]) == (history["customer"], Decimal(9), "month")
    assert live["current_period_end"] - live["current_period_start"] == timedelta(days=30)
    assert (live["metadata_user_id"], live["ended_at"]) == ("7", None)
    assert (ended["ended_at"], ended["cancellation_reason"]) == (ended["canceled_at"], "cancellation_requested")


def test_of_an_address_only_its_hash_is_kept_and_a_new_one_is_a_change(sandbox: Sandbox, history: History) -> None:
    found = resource(sandbox, "customers")
    before = one(found.read(history["customer"]))
    assert as_row(found, before)["email_sha256"] == sha256(b"ann.example@example.com").hexdigest()
    assert (before["metadata"], as_row(found, before)["metadata_user_id"]) == ({"user_id": "7"}, "7")
    history.life.change_customer(history["customer"], at=history.at(), email="new@example.com")
    assert one(found.read(history["customer"])) != before


def test_a_deleted_customer_leaves_the_list_and_says_so_when_read(sandbox: Sandbox, history: History) -> None:
    found = resource(sandbox, "customers")
    assert [obj["id"] for obj in objects(found.pages(WINDOW))] == [history["customer"]]
    gone = one(found.read(history["gone"]))
    assert gone == {"id": history["gone"], "object": "customer", "deleted": True}
    assert found.object_id(gone) == history["gone"]
    with pytest.raises(MalformedObjectError, match="created is missing"):
        found.row(gone)
    assert found.read("cus_none") is None


def test_events_say_what_about_and_whether_webhooks_came(sandbox: Sandbox, history: History) -> None:
    history.life.pending_webhooks = 2
    history.paid()
    found = resource(sandbox, "events")
    newest = as_row(found, objects(found.pages(WINDOW))[0])
    assert newest["pending_webhooks"] == 2
    assert newest["type"] in {"charge.succeeded", "payment_intent.succeeded"}
    assert newest["subject_type"] in {"charge", "payment_intent"}
    assert newest["subject_id"].startswith(("ch_", "pi_"))
    assert found.spec.history == timedelta(days=30)


def test_fields_that_do_not_exist_yet_are_ignored(sandbox: Sandbox, history: History) -> None:
    for name in NAMES:
        found = resource(sandbox, name)
        for obj in objects(found.pages(WINDOW)):
            assert found.row({**obj, "from_the_future": {"id": [1, {"x": None}]}}) == found.row(obj)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("payment_intents", "amount", 1.5),
        ("charges", "amount_refunded", "5"),
        ("charges", "captured", "yes"),
        ("refunds", "created", None),
        ("disputes", "amount", None),
        ("payouts", "arrival_date", "soon"),
        ("transfers", "reversed", 1),
        ("transfer_reversals", "amount", None),
        ("balance_transactions", "net", 1.5),
        ("balance_transactions", "exchange_rate", "much"),
        ("checkout_sessions", "amount_total", "20"),
        ("subscriptions", "status", 7),
        ("customers", "created", 10**17),
        ("events", "type", None),
    ],
)
def test_a_malformed_field_is_named(sandbox: Sandbox, history: History, name: str, field: str, value: object) -> None:
    found = resource(sandbox, name)
    obj = objects(found.pages(WINDOW))[0]
    with pytest.raises(MalformedObjectError, match=field):
        found.row({**obj, field: value})


def test_a_live_transfer_behind_a_test_key_is_refused(sandbox: Sandbox, history: History) -> None:
    sandbox.state.stripe.transfers[history["transfer"]]["livemode"] = True
    for name in ("transfers", "transfer_reversals"):
        with pytest.raises(WrongAccountError, match="live mode"):
            objects(resource(sandbox, name).pages(WINDOW))
    with pytest.raises(WrongAccountError, match="live mode"):
        resource(sandbox, "transfer_reversals").read(history["reversal"])


def test_a_server_that_shows_no_reversals_is_asked_for_them() -> None:
    listed = [
        {"id": "tr_1", "created": 1790900000, "amount_reversed": 5},
        {"id": "tr_2", "created": 1790900000, "amount_reversed": 0},
        {"created": 1790900000},
    ]
    reversal = {"id": "trr_1", "object": "transfer_reversal", "amount": 5, "currency": "usd", "created": 1790900001}

    def answer(path: str, _query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/transfers":
            return 200, orjson.dumps({"data": listed, "has_more": False})
        return 200, orjson.dumps({"data": [reversal], "has_more": False})

    with conversation(answer) as talk:
        found = provider(talk.base_url).resources["transfer_reversals"]
        known, unreadable = objects(found.pages(WINDOW))
    assert as_row(found, known)["object_id"] == "tr_1/trr_1"
    assert as_row(found, known)["transfer_created_at"] == datetime.fromtimestamp(1790900000, UTC)
    assert [path for path, _, _ in talk.asked] == ["/v1/transfers", "/v1/transfers/tr_1/reversals"]
    with pytest.raises(MalformedObjectError, match="transfer is missing"):
        found.object_id(unreadable)
