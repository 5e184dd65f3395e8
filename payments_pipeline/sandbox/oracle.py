"""What the providers' own objects say that people must be told, whoever put them there: a world's truth about events.

Belongs here: refunds, disputes, failures, cancellations, strange words, another product's charges and money without a
payment, read off a finished world in plain Python, so that no fault has to label what it does in passing. Does not
belong here: what only the planter knows (faults/). Written without a look at the reports' SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from payments_pipeline.sandbox.books import Books, Money, unknown_words
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.state import SandboxState

EVENTS_KEPT = timedelta(days=7)
DISPUTES_KEPT = timedelta(days=14)
FOREIGN_KEPT = timedelta(days=90)
AT_THE_CHECKOUT = timedelta(hours=1)
RECOVERY = timedelta(days=7)
ORPHAN_GRACE = timedelta(minutes=15)
_MONEY = {"paid", "authorized", "partially_paid", "processing"}
_GOOD = {"paid", "authorized", "processing"}
_CLOSED_DISPUTES = {"won", "lost", "warning_closed", "prevented", "charge_refunded"}


@dataclass(frozen=True, slots=True)
class Event:
    """A row that `report` must show, by columns that identify it, and the line of the catalogue it belongs to."""

    report: str
    line: str
    key: dict[str, str]


def events(state: SandboxState, tables: Mapping[str, list[Row]], as_of: datetime) -> list[Event]:
    """All that the event reports must show of this world, and nothing else may they show.

    Args:
        state: the providers. tables: the application. as_of: the world's present, UTC.
    """
    books = Books(state, tables, as_of)
    return [
        *_refunds(books),
        *_disputes(books),
        *_canceled(books),
        *_failed(books),
        *_foreign(books),
        *_orphans(books),
        *(Event("unmapped_statuses", "S9", key) for key in unknown_words(books)),
    ]


def _event(report: str, line: str, provider: str, ref: str) -> Event:
    return Event(report, line, {"provider": provider, "provider_ref": ref})


def _refunds(books: Books) -> Iterator[Event]:
    failed = {
        event["data"]["object"]["id"]
        for event in books.state.stripe.events.values()
        if event["type"] == "refund.failed" and books.within(books.at(event), EVENTS_KEPT)
    }
    for ref, refund in books.state.stripe.refunds.items():
        paid = books.find("stripe", refund["payment_intent"])
        recent = books.within(books.at(refund), EVENTS_KEPT) or ref in failed
        if recent and books.listed(books.at(refund)) and not (paid and paid.foreign):
            whole = paid is None or refund["amount"] == paid.minor
            yield _event("refunds", "E7" if whole else "E8", "stripe", ref)
    for item in books.of("nowpayments"):
        if item.state == "refunded" and books.within(item.changed_at, EVENTS_KEPT):
            yield _event("refunds", "E7", "nowpayments", item.ref)


def _disputes(books: Books) -> Iterator[Event]:
    closed = {
        event["data"]["object"]["id"]
        for event in books.state.stripe.events.values()
        if event["type"] == "charge.dispute.closed" and books.within(books.at(event), DISPUTES_KEPT)
    }
    for ref, dispute in books.state.stripe.disputes.items():
        at = books.at(dispute)
        told = dispute["status"] not in _CLOSED_DISPUTES or books.within(at, DISPUTES_KEPT) or ref in closed
        paid = books.find("stripe", dispute["payment_intent"])
        if told and books.listed(at) and not (paid and paid.foreign):
            yield _event("disputes", "E7", "stripe", ref)


def _canceled(books: Books) -> Iterator[Event]:
    for item in books.all():
        told = item.state == "canceled" and not item.foreign and books.within(item.changed_at, EVENTS_KEPT)
        if told and (item.held or not _recovered(books, item)):
            yield _event("canceled_payments", "E11", item.provider, item.ref)


def _failed(books: Books) -> Iterator[Event]:
    for item in books.all():
        if not item.failed or item.foreign or not books.within(item.changed_at, EVENTS_KEPT):
            continue
        if item.changed_at <= books.as_of - AT_THE_CHECKOUT and not _recovered(books, item):
            yield _event("failed_payments", "E11", item.provider, item.ref)


def _recovered(books: Books, item: Money) -> bool:
    """Paid after all: the same thing by the same user, the same payment again, or the same sum by the same customer."""
    own = books.newest_row(item)
    named = str(own["id"]) if own else item.named
    timely = (item.created_at, item.changed_at + RECOVERY)
    for other in books.by_customer[item.customer] if item.customer else []:
        again = named is not None and other.named == named
        same = own is None and (other.amount, other.currency) == (item.amount, item.currency)
        fits = again or (same and timely[0] <= other.created_at <= timely[1])
        if fits and other.ref != item.ref and other.state in _GOOD:
            return True
    return own is not None and any(
        row["id"] != own["id"]
        and any(own[order] is not None and row[order] == own[order] for order in ("plan_id", "booking_id"))
        and timely[0] <= row["created_at"] <= timely[1]
        and books.state_of(row) in _GOOD
        for row in books.rows_by_user[own["user_id"]]
    )


def _foreign(books: Books) -> Iterator[Event]:
    for item in books.of("stripe"):
        if item.foreign and item.state in _MONEY | {"refunded"} and books.within(item.created_at, FOREIGN_KEPT):
            yield _event("foreign_charges", "S10", "stripe", item.ref)


def _orphans(books: Books) -> Iterator[Event]:
    for item in books.all():
        if item.provider == "okx" or item.foreign or item.state not in _MONEY:
            continue
        is_child = item.parent is not None and books.find(item.provider, item.parent) is not None
        if not is_child and item.changed_at <= books.as_of - ORPHAN_GRACE and not books.stands_for(item):
            yield _event("orphan_provider_payments", "S6", item.provider, item.ref)
