"""Authorizations that run out, and holds that only look old: line H of the failure catalogue.

Belongs here: card holds for bookings, open or let go. Does not belong here: bookings without any hold (services.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import (
    Sighting,
    drift,
    expired,
    fault,
    never,
    no_show,
    stuck,
    stuck_intent,
    unpaid,
)
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import HOLD, card_intent, pay_by_card
from payments_pipeline.sandbox.residents import fresh_hold
from payments_pipeline.sandbox.town import Town

# A hold whose capture deadline Stripe does not tell.
UNTOLD = timedelta(0)


def _hold(
    town: Town, age_days: float, *, hold: timedelta, app: str = "authorized", starts: datetime | None = None,
    **columns: object,
) -> Row:  # fmt: skip
    """A hold so many days old, for an hour still to come unless `starts` says otherwise."""
    customer = town.user()
    at = town.ago(days=age_days)
    price = Decimal(town.rng.randrange(20, 120))
    starts = starts or town.as_of + timedelta(days=town.rng.uniform(0.5, 3))
    order = town.booking(customer, starts, price, "USD", **{"created_at": at, "updated_at": at, **columns})
    return pay_by_card(town, customer, at, booking=order, app=app, intent="requires_capture", hold=hold)


def _booking(town: Town, payment: Row) -> Row:
    booking: Row = town.tables["bookings"][payment["booking_id"] - 1]
    return booking


def _lapsed(town: Town, *, app: str, newest_days: float = 9, oldest_days: float = 60, **columns: object) -> Row:
    """A hold that Stripe let go after seven days, for an hour of the day after it was made."""
    customer = town.user()
    at = town.between(newest_days, oldest_days)
    starts = at + timedelta(hours=20)
    columns = {"created_at": at, "updated_at": at, **columns}
    if columns.get("status") == "completed":
        columns["actual_start"] = starts
    booking = town.booking(customer, starts, Decimal(60), "USD", **columns)
    payment = pay_by_card(town, customer, at, booking=booking, app=app, intent="canceled", lapsed=True)
    payment["updated_at"] = at + HOLD + timedelta(minutes=1) if app in {"canceled", "expired"} else at
    return payment


# Near the end


@fault(line="H1", name="hold_near_its_deadline")
def hold_near_its_deadline(town: Town) -> list[Sighting]:
    """Seven days are nearly over, a day and a half at most, and the hour is still to come."""
    payment = _hold(town, town.rng.uniform(5.5, 6.8), hold=HOLD)
    return [stuck(payment, "wait"), *never(drift(payment), no_show(payment), expired(payment))]


@fault(line="H1", name="short_hold_near_its_deadline")
def short_hold_near_its_deadline(town: Town) -> list[Sighting]:
    """A network that gives less than five days; a rule of seven days would come too late."""
    payment = _hold(town, town.rng.uniform(3.2, 4.5), hold=timedelta(days=4, hours=18))
    return [stuck(payment), *never(drift(payment), no_show(payment))]


@fault(line="H1", name="no_show_near_the_deadline")
def no_show_near_the_deadline(town: Town) -> list[Sighting]:
    """Nobody came, and the hold is about to run out: told by both."""
    age = town.rng.uniform(5.5, 6.8)
    payment = _hold(town, age, hold=HOLD, starts=town.ago(days=age - 1))
    return [stuck(payment, "release"), no_show(payment), *never(drift(payment), unpaid(_booking(town, payment)))]


@fault(line="H1", name="called_off_near_the_deadline")
def called_off_near_the_deadline(town: Town) -> list[Sighting]:
    """Cancelled by the customer, for an hour to come; nobody released the hold."""
    payment = _hold(town, town.rng.uniform(5.5, 6.8), hold=HOLD, status="cancelled", cancelled_by="customer")
    return [stuck(payment, "release"), *never(drift(payment), no_show(payment))]


@fault(line="H5", name="delivered_near_the_deadline")
def delivered_near_the_deadline(town: Town) -> list[Sighting]:
    """Delivered, and nobody captured: a day is left."""
    age = town.rng.uniform(5.5, 6.8)
    starts = town.ago(days=age - 1)
    payment = _hold(town, age, hold=HOLD, starts=starts, status="completed", actual_start=starts)
    return [
        stuck(payment, "capture"),
        *never(drift(payment), no_show(payment), expired(payment), unpaid(_booking(town, payment))),
    ]


@fault(line="H5", name="delivered_days_ago")
def delivered_days_ago(town: Town) -> list[Sighting]:
    """Delivered more than three days ago, never captured; the deadline is still more than two days away."""
    age = town.rng.uniform(4.2, 4.9)
    starts = town.ago(days=age - 0.5)
    payment = _hold(town, age, hold=HOLD, starts=starts, status="completed", actual_start=starts)
    return [stuck(payment, "capture"), *never(drift(payment), no_show(payment), unpaid(_booking(town, payment)))]


@fault(line="H2", name="hold_older_than_seven_days")
def hold_older_than_seven_days(town: Town) -> list[Sighting]:
    """No deadline told, and more than a week old."""
    payment = _hold(town, town.rng.uniform(7.2, 30), hold=UNTOLD)
    return [stuck(payment), *never(drift(payment), no_show(payment))]


@fault(line="H2", name="old_hold_that_the_application_forgot")
def old_hold_that_the_application_forgot(town: Town) -> list[Sighting]:
    """A hold at Stripe with no payment of ours."""
    intent = card_intent(
        town,
        amount=Decimal(town.rng.randrange(20, 120)),
        currency="USD",
        at=town.between(8, 25),
        status="requires_capture",
        customer=town.user()["stripe_customer_id"],
        hold=UNTOLD,
        description="Booking",
    )
    return [stuck_intent(intent)]


# Run out


@fault(line="H3", name="deadline_passed_uncaptured")
def deadline_passed_uncaptured(town: Town) -> list[Sighting]:
    """Stripe has not yet cancelled it, but the money can hardly be taken any more."""
    payment = _hold(town, town.rng.uniform(7.1, 7.9), hold=HOLD)
    return [stuck(payment), *never(drift(payment), expired(payment), no_show(payment))]


@fault(line="H3", name="expired_there_held_here")
def expired_there_held_here(town: Town) -> list[Sighting]:
    """Stripe cancelled the hold by itself, the application still counts on it."""
    payment = _lapsed(town, app="authorized")
    return [drift(payment), expired(payment), *never(stuck(payment), no_show(payment))]


@fault(line="H3", name="delivered_and_expired_on_both_sides")
def delivered_and_expired_on_both_sides(town: Town) -> list[Sighting]:
    """Both sides agree that the hold is gone, and the host has worked for nothing."""
    payment = _lapsed(town, app="canceled", status="completed")
    return [expired(payment), *never(drift(payment), stuck(payment), unpaid(_booking(town, payment)))]


@fault(line="H3", name="delivered_and_booked_as_paid")
def delivered_and_booked_as_paid(town: Town) -> list[Sighting]:
    """The application booked the hold as money; it ran out."""
    payment = _lapsed(town, app="succeeded", status="completed")
    return [drift(payment), expired(payment), *never(stuck(payment), unpaid(_booking(town, payment)))]


@fault(line="H3", name="let_go_after_it_was_called_off")
def let_go_after_it_was_called_off(town: Town) -> list[Sighting]:
    """Cancelled or a no-show: nobody bothered to release the hold, it ran out, and nothing is lost."""
    status, by = town.rng.choice([("no_show", None), ("cancelled", "customer")])
    payment = _lapsed(town, app="canceled", status=status, cancelled_by=by)
    return never(expired(payment), drift(payment), stuck(payment), no_show(payment), unpaid(_booking(town, payment)))


@fault(line="H3", name="expired_and_paid_again")
def expired_and_paid_again(town: Town) -> list[Sighting]:
    """The first hold ran out; the customer paid once more."""
    payment = _lapsed(town, app="expired", status="completed", newest_days=12)
    booking = _booking(town, payment)
    user = town.tables["users"][payment["user_id"] - 1]
    at = payment["created_at"] + timedelta(days=8)
    again = pay_by_card(town, user, at, booking=booking, app="captured", captured=booking["price"])
    return never(expired(payment), drift(payment), drift(again), unpaid(booking))


# The service is over, the hold is not


@fault(line="H4", name="no_show_with_a_fresh_hold")
def no_show_with_a_fresh_hold(town: Town) -> list[Sighting]:
    """Nobody came yesterday: to be released, though the hold itself is neither old nor near its end."""
    age = town.rng.uniform(1.5, 3.5)
    payment = _hold(town, age, hold=HOLD, starts=town.ago(days=age) + timedelta(hours=20), status="no_show")
    return [no_show(payment), *never(stuck(payment), drift(payment), unpaid(_booking(town, payment)))]


@fault(line="H4", name="nobody_came_and_nobody_said")
def nobody_came_and_nobody_said(town: Town) -> list[Sighting]:
    """The booking still reads scheduled, hours after its end."""
    payment = _hold(town, town.rng.uniform(1, 3), hold=HOLD, starts=town.ago(hours=town.rng.uniform(2.2, 20)))
    return [no_show(payment), *never(stuck(payment), drift(payment), unpaid(_booking(town, payment)))]


@fault(line="H4", name="ended_minutes_ago")
def ended_minutes_ago(town: Town) -> list[Sighting]:
    """Over for less than an hour: the host may still write down that it took place."""
    payment = _hold(town, town.rng.uniform(1, 3), hold=HOLD, starts=town.ago(minutes=town.rng.randint(62, 115)))
    return never(no_show(payment), stuck(payment), drift(payment))


@fault(line="H5", name="delivered_with_a_fresh_hold")
def delivered_with_a_fresh_hold(town: Town) -> list[Sighting]:
    """Delivered yesterday, to be captured, and there is time."""
    age = town.rng.uniform(1.5, 3.5)
    starts = town.ago(days=age) + timedelta(hours=20)
    payment = _hold(town, age, hold=HOLD, starts=starts, status="completed", actual_start=starts)
    return never(stuck(payment), drift(payment), no_show(payment), unpaid(_booking(town, payment)))


@fault(line="H2", name="fresh_hold")
def hold_for_tomorrow(town: Town) -> list[Sighting]:
    """Authorized on both sides for an hour to come."""
    payment = fresh_hold(town, town.user(), town.between(0.1, 3.5))
    return never(stuck(payment), drift(payment), no_show(payment), unpaid(_booking(town, payment)))


@fault(line="H2", name="fresh_hold_without_a_deadline")
def fresh_hold_without_a_deadline(town: Town) -> list[Sighting]:
    """No deadline told, but only days old."""
    payment = _hold(town, town.rng.uniform(1, 6), hold=UNTOLD)
    return never(stuck(payment), drift(payment), no_show(payment))


@fault(line="H6", name="part_captured_part_booked")
def part_captured_part_booked(town: Town) -> list[Sighting]:
    """A shorter hour: half the hold was captured, and half is what the application books."""
    customer = town.user()
    starts = town.between(5, 60)
    booking = town.booking(customer, starts, Decimal(80), "USD", status="completed", actual_start=starts)
    half = Decimal(40)
    payment = pay_by_card(
        town, customer, booking["created_at"], booking=booking, app="captured", captured=half, amount=half
    )
    return never(drift(payment), stuck(payment), expired(payment), unpaid(booking))


@fault(line="H7", name="extended_hold_on_day_nine")
def extended_hold_on_day_nine(town: Town) -> list[Sighting]:
    """The card allows thirty days: nine are nothing."""
    payment = _hold(town, town.rng.uniform(8.5, 9.5), hold=timedelta(days=30))
    return never(stuck(payment), drift(payment), no_show(payment), expired(payment))
