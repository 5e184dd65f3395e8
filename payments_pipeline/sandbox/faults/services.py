"""Services that took place without money for them: line P1 of the failure catalogue, with what only looks like it.

Belongs here: bookings and whether they were paid. Does not belong here: holds (holds.py) or payouts (payouts.py).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.sandbox.faults.registry import Sighting, drift, expired, fault, never, no_show, unpaid
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import HOLD, pay_by_card, refund
from payments_pipeline.sandbox.town import Town


def _delivered(town: Town, customer: Row | None = None, *, price: Decimal | None = None, **columns: Any) -> Row:
    """An hour that took place in the last two months."""
    starts = columns.pop("starts_at", None) or town.between(1, 60)
    price = Decimal(town.rng.randrange(20, 120)) if price is None else price
    columns = {"status": "completed", "actual_start": starts + timedelta(minutes=3), **columns}
    return town.booking(customer or town.user(), starts, price, "USD", **columns)


# Planted


@fault(line="P1", name="delivered_and_never_paid")
def delivered_and_never_paid(town: Town) -> list[Sighting]:
    """No payment was ever made for it."""
    return [unpaid(_delivered(town))]


@fault(line="P1", name="delivered_after_a_declined_card")
def delivered_after_a_declined_card(town: Town) -> list[Sighting]:
    """The card was declined, the hour began all the same."""
    customer = town.user()
    booking = _delivered(town, customer)
    words = town.rng.choice(["requires_payment_method", "canceled"])
    payment = pay_by_card(town, customer, booking["created_at"], booking=booking, app=words, intent=words)
    return [unpaid(booking), *never(drift(payment))]


@fault(line="P1", name="delivered_while_still_called_scheduled")
def delivered_while_still_called_scheduled(town: Town) -> list[Sighting]:
    """The status was never moved on, but somebody joined."""
    return [unpaid(_delivered(town, status="scheduled"))]


@fault(line="P1", name="delivered_after_the_hold_was_released")
def delivered_after_the_hold_was_released(town: Town) -> list[Sighting]:
    """Somebody released the hold before the hour, which took place."""
    customer = town.user()
    booking = _delivered(town, customer)
    payment = pay_by_card(
        town, customer, booking["created_at"], booking=booking, app="canceled", intent="canceled", hold=HOLD
    )
    return [unpaid(booking), *never(expired(payment), drift(payment))]


# Look-alikes


@fault(line="P1", name="free_of_charge")
def free_of_charge(town: Town) -> list[Sighting]:
    """A first hour that costs nothing."""
    return never(unpaid(_delivered(town, price=Decimal(0))))


@fault(line="P1", name="nobody_came_and_nobody_paid")
def nobody_came_and_nobody_paid(town: Town) -> list[Sighting]:
    """A booking that was left alone by both."""
    return never(unpaid(_delivered(town, status=town.rng.choice(["scheduled", "no_show"]), actual_start=None)))


@fault(line="P1", name="called_off")
def called_off(town: Town) -> list[Sighting]:
    """Begun, then called off by the host: nothing is owed."""
    return never(unpaid(_delivered(town, status="canceled", cancelled_by="provider", cancel_reason="connection")))


@fault(line="P1", name="still_under_way")
def still_under_way(town: Town) -> list[Sighting]:
    """It began a while ago and is not over, or has only just ended."""
    starts = town.ago(minutes=town.rng.randint(10, 100))
    return never(unpaid(_delivered(town, starts_at=starts, status="in_progress")))


@fault(line="P1", name="delivered_and_given_back")
def delivered_and_given_back(town: Town) -> list[Sighting]:
    """The customer complained and got the money back: there was a payment."""
    customer = town.user()
    booking = _delivered(town, customer, starts_at=town.between(10, 60))
    payment = pay_by_card(
        town, customer, booking["created_at"], booking=booking, app="refunded", captured=booking["price"]
    )
    refund(town, payment, after_hours=72)
    payment["updated_at"] = payment["created_at"] + timedelta(hours=73)
    return never(unpaid(booking), drift(payment))


@fault(line="P1", name="delivered_and_paid_there_only")
def delivered_and_paid_there_only(town: Town) -> list[Sighting]:
    """Stripe has the money, the application's row still waits: another report's matter."""
    customer = town.user()
    booking = _delivered(town, customer)
    payment = pay_by_card(town, customer, booking["created_at"], booking=booking, app="pending")
    return [drift(payment), *never(unpaid(booking))]


@fault(line="P1", name="delivered_to_the_staff")
def delivered_to_the_staff(town: Town) -> list[Sighting]:
    """An internal account tries the service out."""
    return never(unpaid(_delivered(town, town.user(is_internal=True))))


@fault(line="P1", name="delivered_and_held")
def delivered_and_held(town: Town) -> list[Sighting]:
    """Held after a first card was declined; captured tomorrow."""
    customer = town.user()
    booking = _delivered(town, customer, starts_at=town.between(1, 2))
    asked = booking["created_at"]
    pay_by_card(town, customer, asked, booking=booking, app="failed", intent="canceled")
    payment = pay_by_card(
        town, customer, asked + timedelta(minutes=2), booking=booking, app="authorized", intent="requires_capture",
        hold=HOLD,
    )  # fmt: skip
    return never(unpaid(booking), no_show(payment), drift(payment))
