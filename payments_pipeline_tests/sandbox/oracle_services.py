"""The rules about holds, services and payouts once more, in plain Python over a world in memory.

Belongs here: a second opinion on those reports, beside oracle.py. Does not belong here: what the
pipeline runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from payments_pipeline.sandbox.world import World
from payments_pipeline_tests.sandbox.oracle import APP, Transaction, transactions

Row = dict[str, Any]

CALLED_OFF = {"cancelled", "canceled", "no_show"}
FAILED = {"failed", "returned", "unclaimed"}
HOUR = timedelta(hours=1)


class Services:
    """Bookings with their payments, and what the provider says of each."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.theirs = transactions(world)
        self.bookings = {row["id"]: row for row in world.tables["bookings"]}
        self.payments: dict[int, list[Row]] = defaultdict(list)
        self.by_ref: dict[str, Row] = {}
        for row in world.tables["payment_transactions"]:
            if row["payment_method"] == "stripe":
                self.by_ref[row["transaction_id"]] = row
            if row["booking_id"]:
                self.payments[row["booking_id"]].append(row)

    def other(self, payment: Row) -> Transaction | None:
        return self.theirs.get((payment["payment_method"], payment["transaction_id"]))

    def booking_of(self, ref: str) -> Row | None:
        payment = self.by_ref.get(ref)
        return self.bookings.get(payment["booking_id"]) if payment else None


def recommendation(services: Services, ref: str) -> str:
    """What to do with an open hold."""
    booking = services.booking_of(ref)
    if booking is None or booking["status"] in CALLED_OFF:
        return "release"
    if booking["actual_start"] or booking["status"] == "completed":
        return "capture"
    return "release" if booking["ends_at"] <= services.world.as_of - HOUR else "wait"


def no_show_holds(world: World) -> set[str]:
    """Stripe ids of open holds for bookings that are over and that nobody joined."""
    services = Services(world)
    found = set()
    for item in services.theirs.values():
        booking = services.booking_of(item.ref) if item.state == "authorized" else None
        if booking is None or booking["ends_at"] >= world.as_of - HOUR or booking["status"] == "completed":
            continue
        if booking["actual_start"] is None or booking["status"] == "no_show":
            found.add(item.ref)
    return found


def expired_authorizations(world: World) -> set[str]:
    """Stripe ids of holds that ran out and are missed."""
    services = Services(world)
    found = set()
    for ref in _ran_out(world):
        payment, booking = services.by_ref.get(ref), services.booking_of(ref)
        if payment is None or booking is None or booking["status"] in CALLED_OFF:
            continue
        others = [services.other(row) for row in services.payments[booking["id"]] if row is not payment]
        paid_again = any(item is not None and item.state in {"paid", "authorized"} for item in others)
        counted = APP.get(payment["status"]) in {"paid", "authorized"}
        if (booking["actual_start"] or counted) and not paid_again:
            found.add(ref)
    return found


def missing_payments(world: World) -> set[str]:
    """Ids of bookings that took place and that nobody paid."""
    services = Services(world)
    staff = {user["id"] for user in world.tables["users"] if user["is_internal"]}
    lost = _ran_out(world)
    found = set()
    for booking in services.bookings.values():
        delivered = booking["actual_start"] and booking["ends_at"] <= world.as_of - HOUR
        if not delivered or booking["status"] in CALLED_OFF or booking["customer_id"] in staff or not booking["price"]:
            continue
        if not any(_counts(services, row, lost) for row in services.payments[booking["id"]]):
            found.add(str(booking["id"]))
    return found


def _counts(services: Services, payment: Row, lost: set[str]) -> bool:
    other = services.other(payment)
    states = {APP.get(payment["status"], "unknown"), other.state if other else "pending"}
    return payment["transaction_id"] in lost or not states <= {"pending", "failed", "canceled", "expired"}


def _ran_out(world: World) -> set[str]:
    intents = world.state.stripe.payment_intents
    return {ref for ref, intent in intents.items() if intent["cancellation_reason"] == "automatic"}


def failed_payouts(world: World) -> set[str]:
    """What did not arrive: ids of the application's payouts, and of Stripe's."""
    stripe = world.state.stripe
    on_purpose = {item["transfer"] for item in stripe.transfer_reversals.values() if item["source_refund"]}
    back = {ref for ref, item in stripe.transfers.items() if item["reversed"]} - on_purpose
    settled = {txn for names in stripe.payout_transactions.values() for txn in names}
    newest = {(row["booking_id"], row["payee_id"]): row["id"] for row in world.tables["payouts"]}
    found = {ref for ref, item in stripe.payouts.items() if item["status"] == "failed"}
    found -= {ref for ref in found if stripe.payouts[ref]["failure_balance_transaction"] in settled}
    for row in world.tables["payouts"]:
        told = row["status"] in FAILED and row["updated_at"] <= world.as_of - timedelta(minutes=15)
        odd = "returned" in (row["error"] or "").lower() or row["stripe_transfer_id"] in back
        if (told or odd) and newest[row["booking_id"], row["payee_id"]] == row["id"]:
            found.add(str(row["id"]))
    return found


def payout_mismatches(world: World) -> set[str]:
    """Payouts of Stripe's that do not add up, and charges that left with none."""
    stripe = world.state.stripe
    found = set()
    for ref, names in stripe.payout_transactions.items():
        nets = [stripe.balance_transactions[name] for name in names]
        total = sum(txn["net"] for txn in nets if txn["source"] != ref)
        if stripe.payouts[ref]["reconciliation_status"] == "completed" and total != stripe.payouts[ref]["amount"]:
            found.add(ref)
    return found | set(_left_behind(world))


def _left_behind(world: World) -> Iterator[str]:
    stripe = world.state.stripe
    gone = {txn for names in stripe.payout_transactions.values() for txn in names}
    newest: dict[str, int] = {}
    for ref in stripe.payout_transactions:
        payout = stripe.payouts[ref]
        if payout["status"] == "paid":
            newest[payout["currency"]] = max(payout["created"], newest.get(payout["currency"], 0))
    for name, txn in stripe.balance_transactions.items():
        old = datetime.fromtimestamp(txn["available_on"], tz=UTC) <= world.as_of - timedelta(days=14)
        passed_by = txn["available_on"] < newest.get(txn["currency"], 0)
        if txn["type"] == "charge" and name not in gone and old and passed_by and _recent(world, txn):
            yield txn["source"]


def _recent(world: World, txn: Row) -> bool:
    return datetime.fromtimestamp(txn["created"], tz=UTC) > world.as_of - timedelta(days=90)
