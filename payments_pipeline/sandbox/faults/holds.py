"""Authorizations that run out, and holds that only look old: line H of the failure catalogue."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, never, stuck, stuck_intent
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import HOLD, card_intent, pay_by_card
from payments_pipeline.sandbox.residents import fresh_hold
from payments_pipeline.sandbox.town import Town

# A hold whose capture deadline Stripe does not tell.
UNTOLD = timedelta(0)


def _hold(town: Town, age_days: float, *, hold: timedelta, app: str = "authorized", **booking: object) -> Row:
    """A hold so many days old for an hour that lies shortly after it, or as `booking` says."""
    customer = town.user()
    at = town.ago(days=age_days)
    columns = {"created_at": at, "updated_at": at, **booking}
    order = town.booking(customer, at + timedelta(hours=20), Decimal(town.rng.randrange(20, 120)), "USD", **columns)
    return pay_by_card(town, customer, at, booking=order, app=app, intent="requires_capture", hold=hold)


@fault(line="H1", name="hold_near_its_deadline")
def hold_near_its_deadline(town: Town) -> list[Sighting]:
    """Seven days are nearly over: a day and a half at most."""
    payment = _hold(town, town.rng.uniform(5.5, 6.8), hold=HOLD)
    return [stuck(payment), *never(drift(payment))]


@fault(line="H1", name="short_hold_near_its_deadline")
def short_hold_near_its_deadline(town: Town) -> list[Sighting]:
    """A network that gives less than five days; a rule of seven days would come too late."""
    payment = _hold(town, town.rng.uniform(3.2, 4.5), hold=timedelta(days=4, hours=18))
    return [stuck(payment), *never(drift(payment))]


@fault(line="H2", name="hold_older_than_seven_days")
def hold_older_than_seven_days(town: Town) -> list[Sighting]:
    """No deadline told, and more than a week old."""
    payment = _hold(town, town.rng.uniform(7.2, 30), hold=UNTOLD)
    return [stuck(payment), *never(drift(payment))]


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


@fault(line="H3", name="deadline_passed_uncaptured")
def deadline_passed_uncaptured(town: Town) -> list[Sighting]:
    """Stripe has not yet cancelled it, but the money can't be taken any more."""
    payment = _hold(town, town.rng.uniform(7.1, 7.9), hold=HOLD)
    return [stuck(payment), *never(drift(payment))]


@fault(line="H3", name="expired_there_held_here")
def expired_there_held_here(town: Town) -> list[Sighting]:
    """Stripe cancelled the hold by itself, the application still counts on it."""
    customer = town.user()
    at = town.between(9, 60)
    booking = town.booking(customer, at + timedelta(hours=20), Decimal(60), "USD", created_at=at, updated_at=at)
    payment = pay_by_card(town, customer, at, booking=booking, app="authorized", intent="canceled", lapsed=True)
    return [drift(payment), *never(stuck(payment))]


@fault(line="H4", name="no_show_with_a_fresh_hold")
def no_show_with_a_fresh_hold(town: Town) -> list[Sighting]:
    """Nobody came yesterday. Another report releases it; the hold itself is neither old nor near its end."""
    payment = _hold(town, town.rng.uniform(1.5, 3.5), hold=HOLD, status="no_show")
    return never(stuck(payment), drift(payment))


@fault(line="H5", name="delivered_with_a_fresh_hold")
def delivered_with_a_fresh_hold(town: Town) -> list[Sighting]:
    """Delivered yesterday, to be captured: another report's matter too."""
    age = town.rng.uniform(1.5, 3.5)
    start = town.ago(days=age) + timedelta(hours=20)
    payment = _hold(town, age, hold=HOLD, status="completed", actual_start=start)
    return never(stuck(payment), drift(payment))


@fault(line="H2", name="fresh_hold")
def hold_for_tomorrow(town: Town) -> list[Sighting]:
    """Authorized on both sides for an hour to come."""
    payment = fresh_hold(town, town.user(), town.between(0.1, 3.5))
    return never(stuck(payment), drift(payment))


@fault(line="H2", name="fresh_hold_without_a_deadline")
def fresh_hold_without_a_deadline(town: Town) -> list[Sighting]:
    """No deadline told, but only days old."""
    payment = _hold(town, town.rng.uniform(1, 6), hold=UNTOLD)
    return never(stuck(payment), drift(payment))


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
    return never(drift(payment), stuck(payment))


@fault(line="H7", name="extended_hold_on_day_nine")
def extended_hold_on_day_nine(town: Town) -> list[Sighting]:
    """The card allows thirty days: nine are nothing."""
    payment = _hold(town, town.rng.uniform(8.5, 9.5), hold=timedelta(days=30))
    return never(stuck(payment), drift(payment))
