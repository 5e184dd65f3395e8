"""A finished world read as its providers' books: each object's state, sum and times, and which payment names it.

Belongs here: reading objects and rows in memory, as far as the lists of the last ninety days go. Does not belong here:
what should be reported of them (oracle.py). Takes nothing from the pipeline, so that a mistake there shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.state import Json, SandboxState

LISTED = timedelta(days=90)
_STRIPE = {
    **dict.fromkeys(["requires_payment_method", "requires_confirmation", "requires_action"], "pending"),
    "processing": "processing",
    "requires_capture": "authorized",
    "succeeded": "paid",
    "canceled": "canceled",
}
_NOWPAYMENTS = {
    "waiting": "pending",
    **dict.fromkeys(["confirming", "confirmed", "sending", "spending"], "processing"),
    **dict.fromkeys(["partially_paid", "wrong_asset_confirmed"], "partially_paid"),
    "finished": "paid",
    **dict.fromkeys(["cancelled", "canceled"], "canceled"),
    **{word: word for word in ("failed", "refunded", "expired")},
}
_OKX = {"2": "paid", **dict.fromkeys("018", "processing"), **dict.fromkeys(["11", "12", "13", "14", "17"], "frozen")}
_APP_PAID = {"completed", "confirmed", "finished", "paid", "succeeded", "captured", "partially_refunded"}
_APP_HELD = {"authorized", "held", "requires_capture"}
_APP_OTHER = {
    "created", "new", "pending", "waiting", "requires_payment_method", "requires_action", "requires_confirmation",
    "processing", "confirming", "sending", "partially_paid", "failed", "canceled", "cancelled", "expired", "refunded",
}  # fmt: skip
_ENOUGH = Decimal("0.98")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """One payment or deposit at a provider.

    Attributes:
        minor: the sum in the provider's own figure, of Stripe what was captured. named: the payment of the application
            that the object names. foreign: it names another product. failed: its last attempt failed. held: it had the
            money once.
    """

    provider: str
    ref: str
    word: str
    state: str
    amount: Decimal
    currency: str
    created_at: datetime
    changed_at: datetime
    minor: int = 0
    customer: str | None = None
    parent: str | None = None
    named: str | None = None
    charge: str | None = None
    foreign: bool = False
    failed: bool = False
    held: bool = False


class Books:
    """All objects that the providers' lists show, by provider and id, and the application's rows beside them."""

    def __init__(self, state: SandboxState, tables: Mapping[str, list[Row]], as_of: datetime) -> None:
        self.state, self.tables, self.as_of = state, tables, as_of
        self._rows = {str(row["id"]): row for row in tables["payment_transactions"]}
        self._referring: dict[tuple[str, str], list[Row]] = defaultdict(list)
        self.rows_by_user: dict[int | None, list[Row]] = defaultdict(list)
        for row in tables["payment_transactions"]:
            self.rows_by_user[row["user_id"]].append(row)
            if row["transaction_id"] is not None:
                self._referring[row["payment_method"], row["transaction_id"]].append(row)

    @cached_property
    def _items(self) -> dict[tuple[str, str], Money]:
        made = [*self._stripe(), *self._nowpayments(), *self._okx()]
        return {(item.provider, item.ref): item for item in made if self.listed(item.created_at)}

    @cached_property
    def by_customer(self) -> dict[str | None, list[Money]]:
        """Payments by the provider's id of the customer."""
        found: dict[str | None, list[Money]] = defaultdict(list)
        for item in self.all():
            found[item.customer].append(item)
        return found

    def all(self) -> Iterator[Money]:
        """Every payment and deposit."""
        yield from self._items.values()

    def of(self, provider: str) -> Iterator[Money]:
        """One provider's."""
        return (item for item in self.all() if item.provider == provider)

    def find(self, provider: str, ref: str | None) -> Money | None:
        """One object; None where the lists do not show it."""
        return self._items.get((provider, ref or ""))

    def listed(self, created_at: datetime) -> bool:
        """Do the lists go back to it?"""
        return self.as_of - LISTED <= created_at <= self.as_of

    def within(self, at: datetime, kept: timedelta) -> bool:
        """Was it in the last so many days?"""
        return self.as_of - kept < at <= self.as_of

    def at(self, obj: Json) -> datetime:
        """When a Stripe object was made, UTC."""
        return datetime.fromtimestamp(obj["created"], tz=UTC)

    def newest_row(self, item: Money) -> Row | None:
        """The application's newest row that refers to the object."""
        rows = self._referring.get((item.provider, item.ref), [])
        return max(rows, key=lambda row: (row["created_at"], row["id"]), default=None)

    def state_of(self, row: Row) -> str:
        """A payment's state: the provider's word where there is an object, else the application's."""
        item = self.find(row["payment_method"], row["transaction_id"])
        if item is not None:
            return item.state
        return "paid" if row["status"] in _APP_PAID else "authorized" if row["status"] in _APP_HELD else "other"

    def stands_for(self, item: Money) -> bool:
        """Does a payment of the application stand for the object, by its reference or because the object names it?"""
        if any(self._referring.get((item.provider, ref)) for ref in (item.ref, item.charge) if ref):
            return True
        row = self._rows.get(item.named or "")
        return row is not None and self.find(item.provider, row["transaction_id"]) is None

    def _stripe(self) -> Iterator[Money]:
        sessions = {item["payment_intent"]: item for item in self.state.stripe.checkout_sessions.values()}
        refunded_at: dict[str, int] = {}
        for refund in self.state.stripe.refunds.values():
            if refund["status"] not in {"failed", "canceled"}:
                ref = refund["payment_intent"]
                refunded_at[ref] = max(refund["created"], refunded_at.get(ref, 0))
        for ref, intent in self.state.stripe.payment_intents.items():
            charge: Json = self.state.stripe.charges.get(intent["latest_charge"] or "", {})
            state = _STRIPE.get(intent["status"], "unknown")
            if state == "paid" and charge.get("refunded"):
                state = "refunded"
            moments = [intent["created"], charge.get("created"), intent["canceled_at"], refunded_at.get(ref)]
            named, foreign = self._named(intent, sessions.get(ref))
            declined = intent["last_payment_error"] is not None or charge.get("status") == "failed"
            yield Money(
                provider="stripe",
                ref=ref,
                word=intent["status"],
                state=state,
                amount=Decimal(intent["amount"]),
                currency=intent["currency"],
                created_at=self.at(intent),
                changed_at=_moment(max(moment for moment in moments if moment)),
                minor=intent["amount_received"],
                customer=intent["customer"],
                named=named,
                charge=intent["latest_charge"],
                foreign=foreign,
                failed=intent["status"] == "requires_payment_method" and declined,
                held=charge.get("status") == "succeeded",
            )

    def _named(self, intent: Json, session: Json | None) -> tuple[str | None, bool]:
        """The payment that an intent, or its checkout, names; and whether it names another product."""
        notes = intent["metadata"]
        row = self._card_row(notes.get("payment_id") or notes.get("order_id"))
        payer = notes.get("user_id")
        app = notes.get("app")
        if any(self._referring.get(("stripe", ref)) for ref in (intent["id"], intent["latest_charge"]) if ref):
            return (str(row["id"]) if row else None), False
        if app is not None and not (row and payer == str(row["user_id"])):
            return None, True
        if row is None and session is not None:
            row = self._card_row(session["metadata"].get("payment_id") or session["client_reference_id"])
        if row is None or (payer is not None and payer != str(row["user_id"])):
            return None, False
        return str(row["id"]), False

    def _card_row(self, payment_id: str | None) -> Row | None:
        row = self._rows.get(payment_id or "")
        return row if row is not None and row["payment_method"] == "stripe" else None

    def _nowpayments(self) -> Iterator[Money]:
        payments = self.state.nowpayments.payments
        for ref, payment in payments.items():
            word = payment["payment_status"]
            state = _NOWPAYMENTS.get(word, "unknown")
            paid, asked = _exact(payment["actually_paid"]), _exact(payment["pay_amount"])
            if state == "paid" and paid < asked * _ENOUGH:
                state = "partially_paid"
            parent = payment["parent_payment_id"]
            order = payment["order_id"] or payments.get(str(parent), {}).get("order_id")
            row = self._rows.get(order or "")
            yield Money(
                provider="nowpayments",
                ref=ref,
                word=word,
                state=state,
                amount=_exact(payment["price_amount"]),
                currency=payment["price_currency"],
                created_at=datetime.fromisoformat(payment["created_at"]),
                changed_at=datetime.fromisoformat(payment["updated_at"]),
                parent=None if parent is None else str(parent),
                named=order if row is not None and row["payment_method"] == "nowpayments" else None,
                failed=state == "failed",
            )

    def _okx(self) -> Iterator[Money]:
        for ref, deposit in self.state.okx.deposits.items():
            at = _moment(int(deposit["ts"]) // 1000)
            state = _OKX.get(deposit["state"], "unknown")
            amount = Decimal(deposit["amt"])
            yield Money(
                provider="okx", ref=ref, word=deposit["state"], state=state, amount=amount, currency=deposit["ccy"],
                created_at=at, changed_at=at,
            )  # fmt: skip


def unknown_words(books: Books) -> Iterator[dict[str, str]]:
    """Each word that is in no mapping, by provider, resource and word; once."""
    resources = {"stripe": "payment_intents", "nowpayments": "payments", "okx": "deposits"}
    said = {
        (item.provider, resources[item.provider], item.word)
        for item in books.all()
        if item.state == "unknown" and not item.foreign
    }
    for row in books.tables["payment_transactions"]:
        word = row["status"].lower()
        if word not in _APP_PAID | _APP_HELD | _APP_OTHER:
            said.add(("app", "app_payment", word))
    for provider, resource, word in sorted(said):
        yield {"provider": provider, "resource": resource, "raw_status": word}


def _exact(number: Any) -> Decimal:
    return Decimal(str(number))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
