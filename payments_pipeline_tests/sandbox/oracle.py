"""The rules of the three reports once more, in plain Python over a world in memory.

Belongs here: a second opinion on what each report should say, written without a look at the SQL. Does not belong here:
anything that the pipeline runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.core.money import from_stripe
from payments_pipeline.sandbox.world import World

Row = dict[str, Any]

CLASSES = {
    "open": {"pending", "processing"},
    "held": {"authorized"},
    "paid": {"paid"},
    "short": {"partially_paid"},
    "returned": {"refunded"},
    "dead": {"failed", "canceled", "expired"},
    "frozen": {"frozen"},
}
STRIPE = {
    "requires_payment_method": "pending",
    "processing": "processing",
    "requires_capture": "authorized",
    "succeeded": "paid",
    "canceled": "canceled",
}
NOWPAYMENTS = {
    "waiting": "pending",
    "confirming": "processing",
    "partially_paid": "partially_paid",
    "wrong_asset_confirmed": "partially_paid",
    "finished": "paid",
    "expired": "expired",
    "refunded": "refunded",
}
OKX = {"2": "paid", **dict.fromkeys("018", "processing"), **dict.fromkeys(["11", "12", "13", "14", "17"], "frozen")}
APP = {
    **dict.fromkeys(["pending", "waiting", "requires_payment_method"], "pending"),
    "confirming": "processing",
    "authorized": "authorized",
    **dict.fromkeys(["completed", "finished", "succeeded", "captured", "partially_refunded"], "paid"),
    **{word: word for word in ("partially_paid", "failed", "canceled", "expired", "refunded")},
}
PERIOD = {"week": 7, "month": 28, "quarter": 90, "year": 365}
LEAVING = {"expired", "canceled", "refunded", "plan_changed", "suspended"}


@dataclass(frozen=True)
class Transaction:
    """A provider object in canonical words."""

    provider: str
    ref: str
    state: str
    amount: Decimal
    currency: str
    changed_at: datetime
    capture_before: datetime | None = None
    tx_hash: str | None = None


def transactions(world: World) -> dict[tuple[str, str], Transaction]:
    """All provider objects by provider and id."""
    found = [*_stripe(world), *_nowpayments(world), *_okx(world)]
    return {(item.provider, item.ref): item for item in found}


def _stripe(world: World) -> Iterator[Transaction]:
    for ref, intent in world.state.stripe.payment_intents.items():
        charge = world.state.stripe.charges.get(intent["latest_charge"] or "", {})
        state = STRIPE.get(intent["status"], "unknown")
        if state == "paid" and charge["refunded"]:
            state = "refunded"
        minor = intent["amount_received"] if state in {"paid", "refunded"} else intent["amount"]
        moments = [intent["created"], charge.get("created"), intent["canceled_at"]]
        deadline = charge.get("payment_method_details", {}).get("card", {}).get("capture_before")
        yield Transaction(
            "stripe",
            ref,
            state,
            from_stripe(minor, intent["currency"]),
            intent["currency"].upper(),
            changed_at=_at(max(moment for moment in moments if moment)),
            capture_before=deadline and _at(deadline),
        )


def _nowpayments(world: World) -> Iterator[Transaction]:
    repeated: dict[int, float] = {}
    for payment in world.state.nowpayments.payments.values():
        parent = payment["parent_payment_id"]
        if parent is not None and payment["payment_status"] in {"finished", "partially_paid"}:
            repeated[parent] = repeated.get(parent, 0) + payment["actually_paid"]
    for ref, payment in world.state.nowpayments.payments.items():
        state = NOWPAYMENTS.get(payment["payment_status"], "unknown")
        if payment["payment_status"] in {"finished", "partially_paid"}:
            received = payment["actually_paid"]
            if payment["payment_status"] == "partially_paid":
                received += repeated.get(int(ref), 0)
            short = received < payment["pay_amount"] * 0.98
            state = "partially_paid" if short else "paid"
        yield Transaction(
            "nowpayments",
            ref,
            state,
            Decimal(str(payment["price_amount"])),
            payment["price_currency"].upper(),
            changed_at=datetime.fromisoformat(payment["updated_at"]),
        )


def _okx(world: World) -> Iterator[Transaction]:
    for ref, deposit in world.state.okx.deposits.items():
        at = _at(int(deposit["ts"]) // 1000)
        state = OKX[deposit["state"]]
        yield Transaction("okx", ref, state, Decimal(deposit["amt"]), deposit["ccy"], at, tx_hash=deposit["txId"])


def activation_gaps(world: World) -> set[str]:
    """Ids of users who paid and do not have it."""
    theirs = transactions(world)
    gone = _lost_or_bounced(world)
    plans = {plan["id"]: plan for plan in world.tables["plans"]}
    newest: dict[int, tuple[datetime, int, Row]] = {}
    for payment in world.tables["payment_transactions"]:
        paid_at = _bought_at(payment, theirs.get((payment["payment_method"], payment["transaction_id"])))
        if (
            payment["transaction_id"] not in gone
            and paid_at is not None
            and _runs(plans.get(payment["plan_id"]), paid_at, world.as_of)
        ):
            candidate = (paid_at, payment["id"], payment)
            newest[payment["user_id"]] = max(candidate, newest.get(payment["user_id"], candidate), key=lambda c: c[:2])
    left: dict[int, datetime] = {}
    for event in world.tables["subscription_events"]:
        if event["event_type"] in LEAVING and not _too_early(event, newest.get(event["user_id"]), plans):
            left[event["user_id"]] = max(event["created_at"], left.get(event["user_id"], event["created_at"]))
    users = {user["id"]: user for user in world.tables["users"]}
    return {
        str(user_id)
        for user_id, (paid_at, _, _payment) in newest.items()
        if not _excused(users[user_id], paid_at, left.get(user_id), world.as_of)
        and users[user_id]["subscription_status"] not in {"active", "trialing"}
    }


def _lost_or_bounced(world: World) -> set[str]:
    """Intents whose money the bank took back, or whose refund failed: not for activation_gaps to judge."""
    stripe = world.state.stripe
    lost = {
        item["payment_intent"]
        for item in stripe.disputes.values()
        if item["status"] == "lost" and item["amount"] >= stripe.charges[item["charge"]]["amount_captured"]
    }
    return lost | {item["payment_intent"] for item in stripe.refunds.values() if item["status"] == "failed"}


def _bought_at(payment: Row, theirs: Transaction | None) -> datetime | None:
    """When a plan was paid with this payment; None when it was not, or is no plan's."""
    if payment["plan_id"] is None or payment["booking_id"] is not None:
        return None
    ours = APP.get(payment["status"], "unknown")
    paid = ours == "paid" if theirs is None else theirs.state == "paid" and ours != "refunded"
    if theirs is not None and theirs.provider == "okx":
        paid = paid and _as_asked(payment, theirs)
    moment: datetime = payment["confirmed_at"] or (theirs.changed_at if theirs else payment["created_at"])
    return moment if paid else None


def _excused(user: Row, paid_at: datetime, left: datetime | None, as_of: datetime) -> bool:
    override = user["access_override_until"]
    return (
        user["is_internal"]
        or (override is not None and override > as_of)
        or (left is not None and left > paid_at)
        or paid_at > as_of - timedelta(seconds=120)
    )


def _runs(plan: Row | None, paid_at: datetime, as_of: datetime) -> bool:
    if plan is None or plan["period"] == "lifetime":
        return True
    return bool(paid_at + timedelta(days=PERIOD[plan["period"]]) > as_of)


def _too_early(event: Row, newest: tuple[datetime, int, Row] | None, plans: dict[int, Row]) -> bool:
    """Expired while what was paid since still runs: a renewal that moved nothing."""
    if event["event_type"] != "expired" or newest is None:
        return False
    plan = plans.get(newest[2]["plan_id"])
    return plan is not None and (
        plan["period"] == "lifetime" or event["created_at"] < newest[0] + timedelta(days=PERIOD[plan["period"]] - 1)
    )


def _as_asked(payment: Row, deposit: Transaction) -> bool:
    """The right coin, and enough of it."""
    enough = bool(deposit.amount >= payment["crypto_amount"] * Decimal("0.98"))
    return enough and deposit.currency == payment["crypto_currency"]


def out_of_sync_payments(world: World) -> list[dict[str, str]]:
    """Payments whose two sides differ: payment_id, provider, provider_ref."""
    theirs = transactions(world)
    by_hash = {item.tx_hash: item for item in theirs.values() if item.tx_hash}
    rows = []
    for payment in world.tables["payment_transactions"]:
        provider = payment["payment_method"]
        other = theirs.get((provider, payment["transaction_id"]))
        if other is None and provider == "okx":
            other = by_hash.get(payment["tx_hash"])
        if other is not None and _differs(payment, other, world.as_of):
            rows.append({"payment_id": str(payment["id"]), "provider": provider, "provider_ref": other.ref})
    return rows


def _differs(payment: Row, other: Transaction, as_of: datetime) -> bool:
    ours = APP.get(payment["status"], "unknown")
    kind, their_kind = _class(ours), _class(other.state)
    if "unknown" in {kind, their_kind}:
        return False
    if other.provider == "okx" and other.state == "paid" and not _as_asked(payment, other):
        return False
    waiting = kind == "dead" and other.state == "pending"
    in_flight = max(other.changed_at, payment["updated_at"]) > as_of - timedelta(seconds=300)
    return kind != their_kind and not waiting and not in_flight


def _class(state: str) -> str:
    return next((name for name, states in CLASSES.items() if state in states), "unknown")


def stuck_authorizations(world: World) -> set[str]:
    """Stripe ids of holds that are old or near their end, or whose service was delivered three days ago."""
    soon, old = world.as_of + timedelta(hours=48), world.as_of - timedelta(days=7)
    delivered = _delivered(world)
    return {
        item.ref
        for item in transactions(world).values()
        if item.state == "authorized"
        and (
            (item.changed_at <= old if item.capture_before is None else item.capture_before <= soon)
            or item.ref in delivered
        )
    }


def _delivered(world: World) -> set[str]:
    """Stripe ids of payments not taken for services that somebody came to, over for three days and more."""
    bookings = {row["id"]: row for row in world.tables["bookings"]}
    booked = [(row, bookings[row["booking_id"]]) for row in world.tables["payment_transactions"] if row["booking_id"]]
    return {
        payment["transaction_id"]
        for payment, booking in booked
        if booking["ends_at"] <= world.as_of - timedelta(hours=72)
        and (booking["actual_start"] or booking["status"] == "completed")
        and booking["status"] not in {"cancelled", "canceled", "no_show"}
        and not booking["cancelled_by"]
        and APP.get(payment["status"]) != "paid"
    }


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
