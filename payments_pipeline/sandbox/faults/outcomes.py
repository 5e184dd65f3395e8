"""What becomes of payments at the provider and people must know of: failures, refunds, disputes, and look-alikes.

Belongs here: events that are no disagreement. Does not belong here: what access they give or take (entitlement.py), for
which reason they happen to bookings where a plan would make them a matter of access, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, drift, event, fault, gap, never, off
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import card_intent, pay_by_card, pay_by_gateway, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.stripe_shapes import dispute
from payments_pipeline.sandbox.town import Town


def _declined(town: Town, at: datetime, *, user: Row | None = None, plan: Row | None = None) -> Row:
    """A card that was refused, and the application knows."""
    user, plan = user or town.user(), plan or town.plan()
    return pay_by_card(town, user, at, plan=plan, app="failed", intent="requires_payment_method")


def _failure(payment: Row) -> Sighting:
    return event("failed_payments", payment["payment_method"], payment["transaction_id"])


def _delivered(town: Town, starts: datetime) -> Row:
    """An hour that took place and was paid by card on the day it was booked."""
    customer = town.user()
    booking = town.booking(customer, starts, Decimal(80), "USD", status="completed", actual_start=starts)
    return pay_by_card(
        town, customer, booking["created_at"], booking=booking, app="captured", captured=booking["price"]
    )


def _disputed(town: Town, starts: datetime, at: datetime, status: str) -> tuple[Row, Sighting]:
    payment = _delivered(town, starts)
    stripe = town.state.stripe
    charge = stripe.charges[stripe.payment_intents[payment["transaction_id"]]["latest_charge"]]
    made = dispute(
        town.ids.stripe("du_1"),
        charge,
        amount=charge["amount_captured"],
        reason="product_not_received",
        status=status,
        created=int(at.timestamp()),
    )
    charge.update(disputed=True, dispute=made["id"])
    stripe.disputes[made["id"]] = made
    return payment, event("disputes", "stripe", made["id"])


@fault(line="E11", name="card_declined")
def card_declined(town: Town) -> list[Sighting]:
    """Wanted to pay and could not."""
    payment = _declined(town, town.between(0.1, 6.5))
    return [_failure(payment), *never(drift(payment), off(payment))]


@fault(line="E11", name="gateway_payment_failed")
def gateway_payment_failed(town: Town) -> list[Sighting]:
    """NOWPayments could not send the coins on, and both sides say so."""
    user = town.user()
    plan = town.plan(currency="USD")
    payment = pay_by_gateway(town, user, town.between(0.2, 6.5), plan=plan, app="failed", gateway="failed")
    return [_failure(payment), *never(drift(payment), gap(user))]


@fault(line="E11", name="declined_for_one_plan_paid_another")
def declined_for_one_plan_paid_another(town: Town) -> list[Sighting]:
    """A good payment for something else does not make this one good."""
    user, _ = subscriber(town, plan=town.plan("basic", currency="USD"), at=town.between(0.2, 2))
    payment = _declined(town, town.between(3, 6), user=user, plan=town.plan("premium", "year", "USD"))
    return [_failure(payment), *never(gap(user))]


@fault(line="E11", name="declined_then_paid")
def declined_then_paid(town: Town) -> list[Sighting]:
    """Another card, minutes later, worked."""
    plan = town.plan(currency="USD")
    user, good = subscriber(town, plan=plan, at=town.between(0.2, 6))
    payment = _declined(town, good["created_at"] - timedelta(minutes=3), user=user, plan=plan)
    return never(_failure(payment), gap(user), drift(payment), drift(good))


@fault(line="E11", name="left_and_opened_again")
def left_and_opened_again(town: Town) -> list[Sighting]:
    """A checkout that was left was canceled; the same user paid for the same plan minutes after opening it."""
    plan = town.plan(currency="USD")
    user, good = subscriber(town, plan=plan, at=town.between(0.2, 6))
    opened = good["created_at"] - timedelta(minutes=10)
    payment = pay_by_card(town, user, opened, plan=plan, app="canceled", intent="canceled")
    return never(
        event("canceled_payments", "stripe", payment["transaction_id"]), gap(user), drift(payment), drift(good)
    )


@fault(line="E11", name="declined_then_paid_unseen")
def declined_then_paid_unseen(town: Town) -> list[Sighting]:
    """The application writes no row for a refused card; the same customer paid the same sum afterwards."""
    plan = town.plan(currency="USD")
    user, good = subscriber(town, plan=plan, at=town.between(0.2, 6))
    intent = card_intent(
        town,
        amount=plan["price"],
        currency="USD",
        at=good["created_at"] - timedelta(minutes=3),
        status="requires_payment_method",
        customer=user["stripe_customer_id"],
    )
    return never(event("failed_payments", "stripe", intent["id"]), gap(user), drift(good))


@fault(line="E11", name="declined_a_moment_ago")
def declined_a_moment_ago(town: Town) -> list[Sighting]:
    """Still at the checkout, looking for another card."""
    payment = _declined(town, town.ago(minutes=town.rng.randint(2, 50)))
    return never(_failure(payment), drift(payment))


@fault(line="E11", name="declined_weeks_ago")
def declined_weeks_ago(town: Town) -> list[Sighting]:
    """Was told then."""
    payment = _declined(town, town.between(8, 60))
    return never(_failure(payment), drift(payment))


@fault(line="E7", name="dispute_waits_for_evidence")
def dispute_waits_for_evidence(town: Town) -> list[Sighting]:
    """Open, whatever its age: here a fresh one and one that is nearly forgotten."""
    starts = town.between(50, 80)
    seen: list[Sighting] = []
    for at, status in ((town.between(0.2, 5), "needs_response"), (starts + timedelta(days=9), "under_review")):
        payment, told = _disputed(town, starts, at, status)
        seen += [told, *never(drift(payment), off(payment))]
    return seen


@fault(line="E7", name="dispute_came_to_nothing")
def dispute_came_to_nothing(town: Town) -> list[Sighting]:
    """An inquiry closed this week is told once more; one of last month is not."""
    starts = town.between(50, 80)
    _, told = _disputed(town, starts, town.between(1, 6), "warning_closed")
    _, over = _disputed(town, starts, starts + timedelta(days=9), "won")
    return [told, *never(over)]


@fault(line="E7", name="gateway_gave_money_back")
def gateway_gave_money_back(town: Town) -> list[Sighting]:
    """NOWPayments refunded it, and both sides know."""
    user = town.user()
    at = town.between(0.2, 6)
    payment = pay_by_gateway(town, user, at, plan=town.plan(currency="USD"), app="refunded", gateway="refunded")
    told = event("refunds", "nowpayments", payment["transaction_id"])
    return [told, *never(gap(user), drift(payment))]


@fault(line="E8", name="part_of_a_booking_given_back")
def part_of_a_booking_given_back(town: Town) -> list[Sighting]:
    """A courtesy for an hour that began late: told for a week, and no mismatch ever."""
    payment = _delivered(town, town.between(2, 5))
    fresh = refund(town, payment, part=Decimal("0.25"), after_hours=48)
    older = _delivered(town, town.between(15, 60))
    told = refund(town, older, part=Decimal("0.25"))
    return [
        event("refunds", "stripe", fresh["id"]),
        *never(event("refunds", "stripe", told["id"]), drift(payment), off(payment), drift(older), off(older)),
    ]
