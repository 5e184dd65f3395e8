"""Lets a hold go for a service that did not take place: Stripe first, then the payment, then the booking.

Belongs here: the steps of this one repair. Does not belong here: reading holds (holds.py), the order of events
(effects.py). Source: https://docs.stripe.com/api/payment_intents/cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.errors import PreconditionError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation import holds
from payments_pipeline.remediation.facts import Facts
from payments_pipeline.remediation.kinds import Money, Order, Progress, Request, Writeback
from payments_pipeline.remediation.one_row import set_payment_state, write_one

_RELEASED = frozenset({"canceled", "refunded", "expired", "failed"})
_OPEN = frozenset({"authorized", "pending", "processing"})
_ENDED = holds.CALLED_OFF | holds.NOT_COME


class ReleaseAuthorization:
    """See the module."""

    name = "release_authorization"
    moves_money = False
    """What is held was never taken."""
    repeatable = True
    """Stripe cancels an intent once, whatever the key."""

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``provider_ref`` of a Stripe payment (``pi_…``)."""
        return holds.hold_target(evidence)

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """See `holds.lock_hold`."""
        holds.lock_hold(connection, target, writeback)

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """See `holds.read_hold`."""
        del as_of
        return holds.read_hold(connection, target, desk)

    def stake(self, facts: Facts) -> Money | None:
        """What is held, and given up."""
        return holds.held(facts)

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Held, and for nothing that was given or is still to come."""
        if (reason := holds.unfit(facts, as_of)) is not None:
            return reason
        payment, booking = facts["payment"], facts["booking"]
        if payment is not None and payment["app_state"] not in _OPEN | _RELEASED:
            return f"The application counts the payment as {payment['status']}: a person must decide."
        if booking is not None:
            return _still_wanted(booking, as_of)
        if payment is not None and payment["plan_id"] is not None:
            return "It is held for a plan: a person must decide."
        return None

    def doubt(self, facts: Facts) -> str | None:
        """Called a no-show although somebody came: which of the two is right, a person must say."""
        booking = facts["booking"]
        if booking is None or booking["booking_actual_start"] is None:
            return None
        return f"The booking is {booking['booking_status']}, but somebody joined at {booking['booking_actual_start']}."

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """Stripe's status, the row's, the booking's."""
        del as_of
        intent, payment, booking = facts["intent"], facts["payment"], facts["booking"]
        stripe = f"Stripe {facts['provider_ref']}"
        effects = [{"what": stripe, "field": "status", "before": intent["status"], "after": "canceled"}]
        if payment is not None and payment["app_state"] not in _RELEASED:
            row = f"payment {payment['payment_id']}"
            effects.append({"what": row, "field": "status", "before": payment["status"], "after": "canceled"})
        if booking is not None and booking["booking_status"] not in _ENDED:
            what = f"booking {booking['booking_id']}"
            effects.append({"what": what, "field": "status", "before": booking["booking_status"], "after": "canceled"})
            effects.append({"what": what, "field": "cancelled_by", "before": None, "after": "system"})
        return effects

    def request(self, facts: Facts) -> Request:
        """Cancel, and nothing that could be left out: other servers refuse parameters they do not know."""
        path = f"/v1/payment_intents/{facts['provider_ref']}/cancel"
        return Request(facts["account"], facts["provider_ref"], path, {})

    def progress(self, facts: Facts, request: Request) -> Progress:
        """Done: canceled, by us or by anybody."""
        del request
        status = facts["intent"] and facts["intent"]["status"]
        return "done" if status == "canceled" else "open" if status == "requires_capture" else "other"

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """The payment's row, unless its webhook was quicker; the booking, unless it has ended already."""
        payment, booking = facts["payment"], facts["booking"]
        if payment is not None and payment["app_state"] not in _RELEASED:
            if payment["app_state"] not in _OPEN:
                raise PreconditionError(
                    f"It is released, and meanwhile the application's row became {payment['status']}.",
                    where=facts["provider_ref"],
                )
            set_payment_state(connection, writeback, payment["payment_id"], "canceled", at=order.at)
        if booking is not None and booking["booking_status"] not in _ENDED and not _used(booking):
            values = {"booking_id": booking["booking_id"], "reason": order.reason, "at": order.at}
            where = f"booking {booking['booking_id']}"
            write_one(connection, writeback, "cancel_booking", values, where=where)

    def aftermath(self, facts: Facts) -> str | None:
        """Somebody came while Stripe's answer was out: what was released can't be held again."""
        if facts["booking"] is None or not _used(facts["booking"]):
            return None
        return "Stripe has released it, and meanwhile somebody came: ask for another payment."

    def touched(self, facts: Facts) -> tuple[str, Mapping[str, list[str]]]:
        """See `holds.touched_hold`."""
        return holds.touched_hold(facts)

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Released on every side."""
        del before
        intent, payment, booking = after["intent"], after["payment"], after["booking"]
        if intent is None or intent["status"] != "canceled":
            return "Stripe does not show it canceled."
        if payment is not None and payment["app_state"] not in _RELEASED:
            return f"app_payments shows it {payment['status']}."
        if booking is not None and booking["booking_status"] not in _ENDED and not _used(booking):
            return f"app_bookings shows the booking {booking['booking_status']}."
        return None


def _used(booking: Facts) -> bool:
    """Somebody came, by the application's word."""
    status = booking["booking_status"]
    return status in holds.DELIVERED or (booking["booking_actual_start"] is not None and status not in _ENDED)


def _still_wanted(booking: Facts, as_of: datetime) -> str | None:
    """Why what it is held for may still be given, or was."""
    status = booking["booking_status"]
    if status in holds.DELIVERED:
        return f"The booking is {status}: capture instead."
    if status in holds.NOT_COME:
        return None
    if booking["booking_actual_start"] is not None:
        return "Somebody came: capture instead, or decide by hand."
    if status in holds.CALLED_OFF or booking["booking_cancelled_by"] is not None:
        return None
    return None if holds.is_over(booking, as_of) else "The service is still to come, or has only just ended."
