"""The application's record differs from the provider's: lines S and E7 of the failure catalogue as planted faults."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import (
    TAKEN,
    Sighting,
    drift,
    event,
    fault,
    gap,
    never,
    off,
    returned,
    stray,
    stuck,
)
from payments_pipeline.sandbox.plans import STRIPE_EXPONENT
from payments_pipeline.sandbox.purchases import HOLD, card_intent, pay_by_card, pay_by_gateway, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town

_CENT = Decimal("0.01")


@fault(line="S1", name="succeeded_here_only_held_there")
def succeeded_here_only_held_there(town: Town) -> list[Sighting]:
    """The application counts a hold as money; it was never captured."""
    customer = town.user()
    at = town.between(0.1, 3.5)
    starts = at + timedelta(hours=1)
    price = Decimal(town.rng.randrange(20, 120))
    booking = town.booking(customer, starts, price, "USD", status="completed", actual_start=starts)
    payment = pay_by_card(town, customer, at, booking=booking, intent="requires_capture", hold=HOLD)
    return [drift(payment), *never(stuck(payment), off(payment))]


@fault(line="S1", name="succeeded_here_canceled_there")
def succeeded_here_canceled_there(town: Town) -> list[Sighting]:
    """The user has access and the money never came."""
    user, payment = subscriber(town, at=town.between(1, 25), intent="canceled")
    return [drift(payment), *never(gap(user))]


@fault(line="S2", name="paid_there_pending_here")
def paid_there_pending_here(town: Town) -> list[Sighting]:
    """The success page switched the user on; the payment's row was never updated."""
    user, payment = subscriber(town, at=town.between(0.1, 25), app="pending")
    return [drift(payment), *never(gap(user))]


@fault(line="S2", name="finished_there_waiting_here")
def finished_there_waiting_here(town: Town) -> list[Sighting]:
    """The same through NOWPayments."""
    user, payment = subscriber(town, at=town.between(0.1, 25), pay=pay_by_gateway, app="waiting")
    return [drift(payment), *never(gap(user))]


@fault(line="S3", name="amounts_differ")
def amounts_differ(town: Town) -> list[Sighting]:
    """A coupon that the application applied and the provider did not."""
    plan = town.plan()
    user, payment = subscriber(town, plan=plan, amount=plan["price"] * Decimal("0.9"))
    return [off(payment), *never(drift(payment), gap(user))]


@fault(line="S3", name="gateway_amounts_differ")
def gateway_amounts_differ(town: Town) -> list[Sighting]:
    """The gateway was asked for another price than the application wrote down."""
    user, payment = subscriber(town, pay=pay_by_gateway)
    payment["amount"] += 5
    return [off(payment), *never(drift(payment), gap(user))]


@fault(line="S4", name="currencies_differ")
def currencies_differ(town: Town) -> list[Sighting]:
    """Charged in euro, written down in dollars: the same figure."""
    user, payment = subscriber(town, plan=town.plan(currency="EUR"), currency="USD")
    return [off(payment), *never(drift(payment), gap(user))]


@fault(line="S9", name="status_nobody_knows")
def status_nobody_knows(town: Town) -> list[Sighting]:
    """NOWPayments answers a word that is in no mapping: one row about the word, none about the payment."""
    user = town.user()
    at = town.between(0.1, 10)
    plan = town.plan(currency="USD")
    payment = pay_by_gateway(town, user, at, plan=plan, app="waiting", gateway="manual_review")
    return never(drift(payment), off(payment), gap(user))


@fault(line="S9", name="status_nobody_knows_of_a_stranger")
def status_nobody_knows_of_a_stranger(town: Town) -> list[Sighting]:
    """Stripe answers a new word for a payment that the application has no row of."""
    intent = card_intent(town, amount=Decimal(20), currency="USD", at=town.between(0.1, 25), status="processing")
    intent["status"] = "in_clearing"
    return never(stray("stripe", intent["id"]))


@fault(line="S12", name="minor_units_taken_for_hundredths")
def minor_units_taken_for_hundredths(town: Town) -> list[Sighting]:
    """The application divided Stripe's integer by 100 although the currency has no or three decimals."""
    plan = town.plan(currency=town.rng.choice(["JPY", "KWD"]))
    minor = plan["price"].scaleb(STRIPE_EXPONENT[plan["currency"]])
    user, payment = subscriber(town, plan=plan, amount=minor.scaleb(-2))
    return [off(payment), *never(drift(payment), gap(user))]


@fault(line="E7", name="refunded_there_only")
def refunded_there_only(town: Town) -> list[Sighting]:
    """Given back in the provider's dashboard; access is gone, the application's row still says succeeded."""
    user = town.user()
    payment = pay_by_card(town, user, town.between(2, 25), plan=town.plan())
    refund(town, payment)
    return [drift(payment), *never(gap(user))]


@fault(line="E7", name="refunded_here_but_the_refund_failed")
def refunded_here_but_the_refund_failed(town: Town) -> list[Sighting]:
    """The refund bounced a day later: the money is ours again, the application believes it gone."""
    user, payment = subscriber(town, at=town.between(4, 25))
    refund(town, payment, status="failed")
    at = payment["created_at"] + timedelta(hours=6)
    payment.update(status="refunded", updated_at=at)
    town.deactivate(user, "refunded", at)
    return [drift(payment), returned(user, TAKEN), *never(gap(user))]


@fault(line="H6", name="part_captured_all_booked")
def part_captured_all_booked(town: Town) -> list[Sighting]:
    """Half the hold was captured, the application books the whole price."""
    customer = town.user()
    starts = town.between(5, 60)
    booking = town.booking(customer, starts, Decimal(80), "USD", status="completed", actual_start=starts)
    payment = pay_by_card(town, customer, booking["created_at"], booking=booking, app="captured", captured=Decimal(40))
    return [off(payment), *never(drift(payment))]


@fault(line="S4", name="currency_and_amount_differ")
def currency_and_amount_differ(town: Town) -> list[Sighting]:
    """The price was converted for the receipt, the card was charged in euro."""
    plan = town.plan(currency="EUR")
    user, payment = subscriber(town, plan=plan, currency="USD", amount=(plan["price"] * Decimal("1.1")).quantize(_CENT))
    return [off(payment), *never(drift(payment), gap(user))]


@fault(line="S12", name="net_booked_for_gross")
def net_booked_for_gross(town: Town) -> list[Sighting]:
    """The application books what the provider's fee left: receipts and refunds will be wrong."""
    plan = town.plan(currency="USD")
    fee = (int(plan["price"] * 100) * 29 // 1000 + 30) / Decimal(100)
    user, payment = subscriber(town, plan=plan, amount=plan["price"] - fee)
    return [off(payment), *never(drift(payment), gap(user))]


@fault(line="S3", name="amount_and_state_differ")
def amount_and_state_differ(town: Town) -> list[Sighting]:
    """Two things went wrong with one payment: told twice, because both are true."""
    customer = town.user()
    at = town.between(1, 3)
    booking = town.booking(customer, town.as_of + timedelta(days=1), Decimal(80), "USD", created_at=at, updated_at=at)
    payment = pay_by_card(town, customer, at, booking=booking, app="pending", amount=Decimal(90))
    return [drift(payment), off(payment)]


@fault(line="S7", name="changed_long_after_it_was_made")
def changed_long_after_it_was_made(town: Town) -> list[Sighting]:
    """Made weeks ago, paid today: whoever reads by time of creation alone never sees it again."""
    customer = town.user()
    at = town.between(15, 60)
    booking = town.booking(customer, town.as_of + timedelta(days=1), Decimal(55), "USD", created_at=at, updated_at=at)
    payment = pay_by_card(town, customer, at, booking=booking, app="pending")
    stripe = town.state.stripe
    charge = stripe.charges[stripe.payment_intents[payment["transaction_id"]]["latest_charge"]]
    charge["created"] = int(town.between(0.1, 0.9).timestamp())
    return [drift(payment), *never(off(payment))]


@fault(line="S2", name="canceled_there_pending_here")
def canceled_there_pending_here(town: Town) -> list[Sighting]:
    """Somebody canceled it in the dashboard; the application waits for ever."""
    user = town.user()
    payment = pay_by_card(town, user, town.between(1, 5), plan=town.plan(), app="pending", intent="canceled")
    return [
        drift(payment),
        event("canceled_payments", "stripe", payment["transaction_id"]),
        *never(gap(user), off(payment)),
    ]
