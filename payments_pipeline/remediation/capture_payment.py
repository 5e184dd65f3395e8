"""Takes the money that is held for a service that was given: all of it, or the part that a person names.

Belongs here: the steps of this one repair. Does not belong here: reading holds (holds.py), the order of events
(effects.py). Source: https://docs.stripe.com/api/payment_intents/capture.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.core.money import to_stripe
from payments_pipeline.errors import MalformedObjectError, PreconditionError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation import holds
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Progress, Request, Writeback
from payments_pipeline.remediation.one_row import set_payment_state

_MAY_BE_CAPTURED = frozenset({"authorized", "pending", "processing", "paid"})


class CapturePayment:
    """See the module."""

    name = "capture_payment"
    moves_money = True
    repeatable = True
    """Stripe captures an intent once, whatever the key."""

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``provider_ref`` of a Stripe payment (``pi_…``); ``capture_amount`` of a part, in major units."""
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
        """What is to be captured."""
        return _wanted(facts)

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Held, for something that was given, and no more than was agreed."""
        if (reason := holds.unfit(facts, as_of)) is not None:
            return reason
        return _expired(facts, as_of) or _not_owed(facts, as_of) or _wrong_sum(facts)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """Stripe's status and sum, then the row's."""
        del as_of
        wanted, intent, payment = _wanted(facts), facts["intent"], facts["payment"]
        stripe, row = f"Stripe {facts['provider_ref']}", f"payment {payment['payment_id']}"
        taken = jsonable(wanted.amount)
        effects = [
            {"what": stripe, "field": "status", "before": intent["status"], "after": "succeeded"},
            {"what": stripe, "field": "amount_received", "before": intent["amount_received"], "after": taken},
        ]
        if payment["app_state"] != "paid":
            effects.append({"what": row, "field": "status", "before": payment["status"], "after": "paid"})
        if Decimal(payment["amount"]) != wanted.amount:
            effects.append({"what": row, "field": "amount", "before": payment["amount"], "after": taken})
        return effects

    def request(self, facts: Facts) -> Request:
        """Capture, always with the sum: nobody's later change of what can be captured goes through unseen."""
        wanted = _wanted(facts)
        return Request(
            facts["account"],
            facts["provider_ref"],
            f"/v1/payment_intents/{facts['provider_ref']}/capture",
            {"amount_to_capture": str(to_stripe(wanted.amount, wanted.currency))},
        )

    def progress(self, facts: Facts, request: Request) -> Progress:
        """Done: captured, exactly this sum. Where only what was kept is told, another may be ours after a refund."""
        intent = facts["intent"]
        if intent is None or intent["status"] not in {"requires_capture", "succeeded"}:
            return "other"
        if intent["status"] == "requires_capture":
            return "open"
        taken = to_stripe(holds.taken(facts), intent["currency"])
        if taken == int(request.parameters["amount_to_capture"]):
            return "done"
        return "other" if intent.get("kept") is None else "unsure"

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """The payment's row, unless its webhook was quicker."""
        payment, taken = facts["payment"], holds.taken(facts)
        if payment is None or payment["app_state"] not in _MAY_BE_CAPTURED:
            state = payment and payment["status"]
            raise PreconditionError(
                f"It is captured, and meanwhile the application's row became {state}.", where=facts["provider_ref"]
            )
        if payment["app_state"] == "paid" and Decimal(payment["amount"]) == taken:
            return
        set_payment_state(connection, writeback, payment["payment_id"], "paid", at=order.at, amount=taken)

    def aftermath(self, facts: Facts) -> str | None:
        """Nothing."""
        del facts
        return None

    def touched(self, facts: Facts) -> tuple[str, Mapping[str, list[str]]]:
        """See `holds.touched_hold`."""
        return holds.touched_hold(facts)

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Both sides say paid, and the same sum."""
        intent, payment = after["intent"], after["payment"]
        if intent is None or intent["status"] != "succeeded":
            return "Stripe does not show it captured."
        if payment is None or payment["app_state"] != "paid":
            return "app_payments does not show it paid."
        if Decimal(payment["amount"]) != (taken := holds.taken(after)):
            return f"app_payments shows {payment['amount']}, {taken} was captured."
        del before
        return None


def _wanted(facts: Facts) -> Money:
    """The sum to capture. An amount that is none gives the whole, and `_wrong_sum` the reason against it."""
    whole = holds.held(facts)
    part = None if facts["capture_amount"] is None else holds.sum_of(facts["capture_amount"])
    return whole if part is None else Money(part, whole.currency)


def _expired(facts: Facts, as_of: datetime) -> str | None:
    deadline = facts["intent"]["capture_before"]
    if deadline is not None and holds.moment(deadline) <= as_of:
        return f"The hold ran out at {deadline}: ask for another payment."
    return None


def _not_owed(facts: Facts, as_of: datetime) -> str | None:
    payment, booking = facts["payment"], facts["booking"]
    if payment is None:
        return "The application knows no payment for it: a person must decide."
    if payment["app_state"] not in _MAY_BE_CAPTURED:
        return f"The application's payment is {payment['status']}: a person must decide."
    if booking is None:
        return None if payment["plan_id"] is not None else "It is for nothing that the application knows."
    if booking["booking_cancelled_by"] is not None or booking["booking_status"] in CALLED_OFF_OR_MISSED:
        return f"The booking is {booking['booking_status']}: release the hold, or decide by hand."
    started = booking["booking_actual_start"]
    given = started is not None and holds.moment(started) <= as_of
    if not given and booking["booking_status"] not in holds.DELIVERED:
        return "Nothing says yet that the service was given."
    return None


CALLED_OFF_OR_MISSED = holds.CALLED_OFF | holds.NOT_COME


def _wrong_sum(facts: Facts) -> str | None:
    part, whole = facts["capture_amount"], holds.held(facts)
    wanted = _wanted(facts)
    if part is not None:
        try:
            fits = holds.sum_of(part) is not None and 0 < wanted.amount <= whole.amount
            to_stripe(wanted.amount, wanted.currency)
        except MalformedObjectError:
            fits = False
        if not fits:
            return f"{part} can't be captured of {whole.amount} {whole.currency}."
    if wanted.amount > Decimal(facts["payment"]["amount"]):
        return f"The application asked for {facts['payment']['amount']} {whole.currency}, less than would be taken."
    return None
