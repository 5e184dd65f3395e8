"""Access that does not fit the money while the user is in: lines E5 to E12 of the catalogue as planted faults."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from payments_pipeline.sandbox import stripe_shapes
from payments_pipeline.sandbox.faults.registry import (
    TAKEN,
    Sighting,
    anything,
    drift,
    ends_early,
    fault,
    for_nothing,
    gap,
    never,
    other_tier,
    paid_twice,
    returned,
)
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import pay_by_card, pay_by_gateway, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town

# No row of the price list; the application kept the reference to a plan that was deleted.
DELETED_PLAN = 9002


def dispute(town: Town, payment: Row, status: str, *, part: Decimal = Decimal(1)) -> None:
    """The cardholder's bank wants the money back, or a part of it; `status` as Stripe calls how that stands."""
    stripe = town.state.stripe
    charge = stripe.charges[stripe.payment_intents[payment["transaction_id"]]["latest_charge"]]
    made = stripe_shapes.dispute(
        town.ids.stripe("du_1"),
        charge,
        amount=int(charge["amount_captured"] * part),
        reason="fraudulent",
        status=status,
        created=int((payment["created_at"] + timedelta(hours=20)).timestamp()),
    )
    stripe.disputes[made["id"]] = made
    charge.update(disputed=True, dispute=made["id"])


@fault(line="E5", name="upgrade_through_the_gateway_lost")
def upgrade_through_the_gateway_lost(town: Town) -> list[Sighting]:
    """Basic by card, then premium in crypto: the second provider's callback went nowhere."""
    user, _ = subscriber(town, plan=town.plan("basic", currency="USD"), at=town.between(12, 26))
    payment = pay_by_gateway(
        town, user, town.between(0.5, 10), plan=town.plan("premium", currency="USD"), app="waiting"
    )
    return [other_tier(user), drift(payment), *never(gap(user), ends_early(user), for_nothing(user))]


@fault(line="E5", name="more_than_was_bought")
def more_than_was_bought(town: Town) -> list[Sighting]:
    """Paid for basic, switched to premium by the webhook of somebody else."""
    user, payment = subscriber(town, plan=town.plan("basic", currency="USD"), at=town.between(1, 20))
    user.update(subscription_tier="premium")
    return [other_tier(user), *never(gap(user), for_nothing(user), drift(payment))]


@fault(line="E12", name="unknown_plan_with_access")
def unknown_plan_with_access(town: Town) -> list[Sighting]:
    """In, and the newest payment names a plan that was deleted: for a person to judge."""
    user, _ = subscriber(town, plan=town.plan("basic", currency="USD"), at=town.between(12, 26))
    payment = pay_by_card(town, user, town.between(0.5, 10), plan=town.plan("pro", currency="USD"))
    payment["plan_id"] = DELETED_PLAN
    return [other_tier(user), *never(gap(user), ends_early(user), drift(payment))]


@fault(line="E6", name="renewal_moved_nothing")
def renewal_moved_nothing(town: Town) -> list[Sighting]:
    """Renewed a day or two before the end; the old date still stands, and will end access soon."""
    plan = town.plan()
    user, _ = subscriber(town, plan=plan, at=town.between(27, 29))
    payment = pay_by_card(town, user, town.between(0.1, 1.5), plan=plan)
    town.webhook(payment)
    return [ends_early(user), *never(gap(user), other_tier(user), paid_twice(payment), drift(payment))]


@fault(line="E6", name="renewal_through_the_gateway_moved_nothing")
def renewal_through_the_gateway_moved_nothing(town: Town) -> list[Sighting]:
    """The year was renewed in crypto; the application still shows last year's end."""
    plan = town.plan("pro", "year", "USD")
    user, _ = subscriber(town, plan=plan, at=town.between(361, 363), pay=pay_by_gateway)
    payment = pay_by_gateway(town, user, town.between(0.5, 1.5), plan=plan, app="waiting")
    return [ends_early(user), drift(payment), *never(gap(user), other_tier(user), paid_twice(payment))]


@fault(line="E6", name="life_that_ends_next_month")
def life_that_ends_next_month(town: Town) -> list[Sighting]:
    """From premium by the month to premium for life: the application still wants to end it."""
    user, _ = subscriber(town, plan=town.plan("premium", currency="USD"), at=town.between(8, 20))
    payment = pay_by_card(town, user, town.between(0.5, 6), plan=town.plan("premium", "lifetime", "USD"))
    return [ends_early(user), *never(gap(user), other_tier(user), paid_twice(payment), drift(payment))]


@fault(line="E7", name="refunded_there_still_active")
def refunded_there_still_active(town: Town) -> list[Sighting]:
    """Given back in the provider's dashboard; the application heard nothing."""
    user, payment = subscriber(town, at=town.between(2, 25))
    refund(town, payment)
    return [returned(user), drift(payment), *never(for_nothing(user), other_tier(user), ends_early(user))]


@fault(line="E7", name="refunded_everywhere_still_active")
def refunded_everywhere_still_active(town: Town) -> list[Sighting]:
    """Both sides call it refunded, and nobody took the access."""
    user, payment = subscriber(town, at=town.between(2, 25))
    refund(town, payment)
    payment.update(status="refunded", updated_at=payment["created_at"] + timedelta(hours=6))
    return [returned(user), *never(for_nothing(user), drift(payment))]


@fault(line="E7", name="gateway_refunded_still_active")
def gateway_refunded_still_active(town: Town) -> list[Sighting]:
    """The gateway sent the coins back."""
    user, payment = subscriber(town, at=town.between(2, 25), pay=pay_by_gateway, gateway="refunded")
    return [returned(user), drift(payment), *never(for_nothing(user), gap(user))]


@fault(line="E7", name="lost_dispute_still_active")
def lost_dispute_still_active(town: Town) -> list[Sighting]:
    """The bank took the money back weeks ago; a dispute is no refund, so nothing else says it."""
    user, payment = subscriber(town, at=town.between(3, 25))
    dispute(town, payment, "lost")
    return [returned(user), *never(for_nothing(user), gap(user), drift(payment))]


@fault(line="E7", name="refund_failed_access_taken")
def refund_failed_access_taken(town: Town) -> list[Sighting]:
    """Access ended when the refund was asked for; the bank sent the money back to us."""
    user, payment = subscriber(town, at=town.between(4, 25))
    refund(town, payment, status="failed")
    town.deactivate(user, "refunded", payment["created_at"] + timedelta(hours=6))
    return [returned(user, TAKEN), *never(gap(user), returned(user), drift(payment))]


@fault(line="E7", name="upgrade_refunded_tier_kept")
def upgrade_refunded_tier_kept(town: Town) -> list[Sighting]:
    """Basic runs, premium was given back, and the user is still on premium: said once."""
    user, _ = subscriber(town, plan=town.plan("basic", currency="USD"), at=town.between(15, 25))
    plan = town.plan("premium", currency="USD")
    second = pay_by_card(town, user, town.between(2, 10), plan=plan)
    town.activate(user, plan, second, "plan_changed")
    refund(town, second)
    return [returned(user), drift(second), *never(other_tier(user), for_nothing(user), gap(user))]


@fault(line="E9", name="active_without_any_payment")
def active_without_any_payment(town: Town) -> list[Sighting]:
    """Switched on by hand, and forgotten."""
    plan = town.plan()
    user = town.user(subscription_status="active", subscription_tier=plan["tier"], plan_id=plan["id"])
    return [for_nothing(user), *never(gap(user), other_tier(user))]


@fault(line="E9", name="trial_that_never_ended")
def trial_that_never_ended(town: Town) -> list[Sighting]:
    """The trial was over days ago."""
    user = town.user(
        subscription_status=town.rng.choice(["trialing", "active"]),
        subscription_tier="pro",
        trial_ends_at=town.between(4, 60),
    )
    return [for_nothing(user)]


@fault(line="E9", name="override_that_ran_out")
def override_that_ran_out(town: Town) -> list[Sighting]:
    """An administrator's favour ended, the access did not."""
    user = town.user(
        subscription_status="active", subscription_tier="premium", access_override_until=town.between(4, 60)
    )
    return [for_nothing(user)]


@fault(line="E9", name="lapsed_and_still_active")
def lapsed_and_still_active(town: Town) -> list[Sighting]:
    """Paid once, weeks ago; the job that ends access passed this user by."""
    user, payment = subscriber(town, at=town.between(37, 80))
    return [for_nothing(user), *never(gap(user), ends_early(user), drift(payment))]


@fault(line="E11", name="active_after_a_declined_card")
def active_after_a_declined_card(town: Town) -> list[Sighting]:
    """The checkout was completed and switched the user on; the card was declined."""
    plan = town.plan()
    user = town.user()
    app = town.rng.choice(["requires_payment_method", "pending", "failed"])
    payment = pay_by_card(town, user, town.between(1, 20), plan=plan, app=app, intent="requires_payment_method")
    _switch_on(user, plan, payment["created_at"])
    return [for_nothing(user), *never(gap(user), drift(payment))]


@fault(line="E11", name="active_on_an_invoice_that_expired")
def active_on_an_invoice_that_expired(town: Town) -> list[Sighting]:
    """Switched on when the crypto invoice was made, which nobody paid."""
    plan = town.plan(currency="USD")
    user = town.user()
    payment = pay_by_gateway(town, user, town.between(16, 20), plan=plan, app="expired", gateway="expired")
    _switch_on(user, plan, payment["created_at"])
    return [for_nothing(user), *never(gap(user), drift(payment))]


@fault(line="E10", name="card_and_crypto_for_one_month")
def card_and_crypto_for_one_month(town: Town) -> list[Sighting]:
    """The card seemed to fail, so the user paid again with coins; both came through."""
    plan = town.plan("pro", currency="USD")
    user, first = subscriber(town, plan=plan, at=town.between(6, 25))
    second = pay_by_gateway(town, user, first["created_at"] + timedelta(hours=town.rng.randint(1, 40)), plan=plan)
    return [paid_twice(second), *never(*anything(user), paid_twice(first), drift(second))]


@fault(line="E10", name="booking_paid_twice")
def booking_paid_twice(town: Town) -> list[Sighting]:
    """Two clicks on pay."""
    first, second = _two_payments(town, Decimal(1))
    return [paid_twice(second), *never(paid_twice(first), drift(first), drift(second))]


@fault(line="E10", name="booking_paid_in_two_parts")
def booking_paid_in_two_parts(town: Town) -> list[Sighting]:
    """A deposit and the rest: no duplicates."""
    first, second = _two_payments(town, Decimal("0.5"))
    return never(paid_twice(first), paid_twice(second), drift(first), drift(second))


def _two_payments(town: Town, part: Decimal) -> tuple[Row, Row]:
    """Two charges of `part` of a delivered booking's price each."""
    customer = town.user()
    starts = town.between(3, 60)
    price = Decimal(town.rng.randrange(20, 120))
    booking = town.booking(customer, starts, price, "USD", status="completed", actual_start=starts)
    share = {**booking, "price": price * part}
    at = booking["created_at"]
    paid = [pay_by_card(town, customer, at + timedelta(minutes=n), booking=share, app="captured") for n in (0, 2)]
    return paid[0], paid[1]


def _switch_on(user: Row, plan: Row, at: datetime) -> None:
    user.update(
        subscription_status="active",
        subscription_tier=plan["tier"],
        plan_id=plan["id"],
        subscription_updated_at=at,
        updated_at=at,
    )
