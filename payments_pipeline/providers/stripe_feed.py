"""Stripe's events as announcements of what to read again.

Belongs here: which objects an event touches, and reading the feed. Does not belong here: what changed (an event's body
is as old as the event, so the object is read anew), keeping events (they are a resource of their own).
Source: https://docs.stripe.com/api/events/types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from payments_pipeline.errors import FeedGapError, MalformedObjectError
from payments_pipeline.providers.base import Change, ChangePage, Clock, Window
from payments_pipeline.providers.stripe_fields import moment_needed, object_id, part, reference, text_needed
from payments_pipeline.providers.stripe_lists import StripeList
from payments_pipeline.providers.stripe_objects import latest_charge
from payments_pipeline.providers.stripe_objects_balance import reversal_id

REACH = timedelta(days=30)

Touched = tuple[str, str | None]


def _intent(obj: Mapping[str, Any]) -> list[Touched]:
    charge = latest_charge(obj).get("id") or reference(obj, "latest_charge")
    return [("payment_intents", object_id(obj)), ("charges", charge)]


def _charge(obj: Mapping[str, Any]) -> list[Touched]:
    # API versions before 2022-11-15 carry the refunds along.
    refunds = _listed(obj, "refunds")
    return [
        ("charges", object_id(obj)),
        ("payment_intents", reference(obj, "payment_intent")),
        *(("refunds", object_id(refund)) for refund in refunds),
    ]


def _refund(obj: Mapping[str, Any]) -> list[Touched]:
    """A refund that fails changes its charge, of which Stripe tells nothing."""
    return [("refunds", object_id(obj)), *_paid_by(obj)]


def _dispute(obj: Mapping[str, Any]) -> list[Touched]:
    """A charge becomes disputed without an event of its own."""
    return [("disputes", object_id(obj)), *_paid_by(obj)]


def _paid_by(obj: Mapping[str, Any]) -> list[Touched]:
    return [("charges", reference(obj, "charge")), ("payment_intents", reference(obj, "payment_intent"))]


def _transfer(obj: Mapping[str, Any]) -> list[Touched]:
    """Reversals have no events; the transfer's carries its newest ten."""
    transfer = object_id(obj)
    reversals = (reversal_id({**reversal, "transfer": transfer}) for reversal in _listed(obj, "reversals"))
    return [("transfers", transfer), *(("transfer_reversals", name) for name in reversals)]


def _checkout_session(obj: Mapping[str, Any]) -> list[Touched]:
    return [
        ("checkout_sessions", object_id(obj)),
        ("payment_intents", reference(obj, "payment_intent")),
        ("subscriptions", reference(obj, "subscription")),
    ]


def _only(resource: str) -> Callable[[Mapping[str, Any]], list[Touched]]:
    return lambda obj: [(resource, object_id(obj))]


# By the `object` that the event carries, which is surer than its type: charge.refund.updated carries a refund.
READERS: Mapping[str, Callable[[Mapping[str, Any]], list[Touched]]] = {
    "payment_intent": _intent,
    "charge": _charge,
    "refund": _refund,
    "dispute": _dispute,
    "payout": _only("payouts"),
    "transfer": _transfer,
    "checkout.session": _checkout_session,
    "subscription": _only("subscriptions"),
    "customer": _only("customers"),
}
# An event of these types must carry one of the objects above; the first fitting start counts.
_BY_TYPE: tuple[tuple[str, str], ...] = (
    ("payment_intent.", "payment_intent"),
    ("charge.dispute.", "dispute"),
    ("charge.refund.", "refund"),
    ("charge.", "charge"),
    ("refund.", "refund"),
    ("payout.", "payout"),
    ("transfer.", "transfer"),
    ("checkout.session.", "checkout.session"),
    ("customer.subscription.", "subscription"),
    ("customer.created", "customer"),
    ("customer.updated", "customer"),
    ("customer.deleted", "customer"),
)


class StripeFeed:
    """Reads GET /v1/events over a window, all types at once: `types` takes 20 at most and no wildcards."""

    reach = REACH

    def __init__(self, events: StripeList, clock: Clock) -> None:
        self._events = events
        self._clock = clock

    def changes(self, window: Window) -> Iterator[ChangePage]:
        """See `base.ChangeFeed.changes`; newest first. `created` has whole seconds, and both ends are rounded up.

        Raises:
            FeedGapError: the window begins more than 30 days ago. ResponseError: the list is malformed.
            WrongAccountError: an event is of the other mode. TransientError: retries are used up.
        """
        beginning = self._clock() - REACH
        if window.start < beginning:
            raise FeedGapError(
                f"Stripe tells of changes since {beginning:%Y-%m-%d %H:%M} UTC, asked for is {window.start:%Y-%m-%d}.",
                where="stripe GET /v1/events",
                remedy="Run a sweep (or a backfill) over the time since: it lists again what the feed can't tell.",
            )
        for page in self._events.created_in(window, {}):
            changes: list[Change] = []
            unreadable: list[str] = []
            for event in page.objects:
                try:
                    changes += announced(event)
                except MalformedObjectError:
                    named = event.get("id") if isinstance(event, dict) else None
                    unreadable.append(named if isinstance(named, str) else "?")
            yield ChangePage(changes, page.read_at, unreadable)


def announced(event: Any) -> list[Change]:
    """Every object that an event touches; none for an event about something that is not read here.

    Raises:
        MalformedObjectError: it should touch something, but does not say what or when.
    """
    if not isinstance(event, Mapping):
        raise MalformedObjectError(f"The event is {type(event).__name__}, not an object.")
    kind = text_needed(event, "type")
    subject = part(part(event, "data"), "object")
    reader = READERS.get(str(subject.get("object"))) or READERS.get(_object_of(kind))
    if reader is None:
        return []
    at, event_id, deleted = moment_needed(event, "created"), object_id(event), kind == "customer.deleted"
    touched = dict.fromkeys(reader(subject))
    return [Change(resource, name, at, deleted, event_id) for resource, name in touched if name is not None]


def _object_of(kind: str) -> str:
    return next((named for start, named in _BY_TYPE if kind.startswith(start)), "")


def _listed(obj: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    data = part(obj, name).get("data")
    return [one for one in data if isinstance(one, Mapping)] if isinstance(data, list) else []
