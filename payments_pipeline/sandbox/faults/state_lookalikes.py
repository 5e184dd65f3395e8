"""Payments that look as if the two sides disagreed, and do not: line S of the catalogue as clean look-alikes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never, off, orphan, stray
from payments_pipeline.sandbox.purchases import card_intent, pay_by_card, pay_by_gateway, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town


@fault(line="S2", name="abandoned_attempt")
def abandoned_attempt(town: Town) -> list[Sighting]:
    """The application closed the attempt, Stripe leaves the intent open for another card."""
    user = town.user()
    app = town.rng.choice(["failed", "canceled", "expired"])
    at = town.between(0.1, 60)
    payment = pay_by_card(town, user, at, plan=town.plan(), app=app, intent="requires_payment_method")
    return never(gap(user), drift(payment))


@fault(line="S2", name="second_attempt_worked")
def second_attempt_worked(town: Town) -> list[Sighting]:
    """One declined attempt, then a good one."""
    user, payment = subscriber(town, at=town.between(0.1, 20))
    plan = town.plan(currency="USD")
    declined = pay_by_card(town, user, town.between(21, 25), plan=plan, app="failed", intent="requires_payment_method")
    return never(gap(user), drift(payment), drift(declined))


@fault(line="S2", name="abandoned_invoice")
def abandoned_invoice(town: Town) -> list[Sighting]:
    """The application gave the crypto invoice up a little before the gateway does."""
    user = town.user()
    at = town.between(1, 6)
    payment = pay_by_gateway(town, user, at, plan=town.plan(currency="USD"), app="expired", gateway="waiting")
    return never(gap(user), drift(payment))


@fault(line="S10", name="charge_of_another_product")
def charge_of_another_product(town: Town) -> list[Sighting]:
    """Another shop's charge on the same Stripe account: not ours to judge."""
    intent = card_intent(
        town,
        amount=Decimal(town.rng.randrange(20, 120)),
        currency="EUR",
        at=town.between(0.1, 80),
        customer=town.ids.stripe("cus_"),
        metadata={"app": "other-shop", "order": town.ids.digits(6)},
        description="Another product",
    )
    return never(stray("stripe", intent["id"]), orphan("stripe", intent["id"]))


@fault(line="S10", name="another_product_with_our_numbers")
def another_product_with_our_numbers(town: Town) -> list[Sighting]:
    """Another shop's order has the number of a checkout that our customer never finished."""
    user = town.user()
    plan = town.plan(currency="USD")
    at = town.between(1, 25)
    order = {"plan_id": plan["id"], "amount": plan["price"], "currency": "USD", "created_at": at}
    payment = town.payment(user, "stripe", None, "pending", **order)
    intent = card_intent(
        town,
        amount=plan["price"],
        currency="USD",
        at=at,
        customer=user["stripe_customer_id"],
        metadata={"app": "other-shop", "payment_id": str(payment["id"])},
        description="Another product",
    )
    return never(gap(user), drift(payment), stray("stripe", intent["id"]))


def _clean_in(town: Town, currency: str) -> list[Sighting]:
    user, payment = subscriber(town, plan=town.plan(currency=currency))
    return never(gap(user), drift(payment), off(payment))


@fault(line="S12", name="yen_have_no_decimals")
def yen_have_no_decimals(town: Town) -> list[Sighting]:
    """JPY 3000 is 3000 in Stripe's integers."""
    return _clean_in(town, "JPY")


@fault(line="S12", name="dinars_have_three_decimals")
def dinars_have_three_decimals(town: Town) -> list[Sighting]:
    """KWD 6.120 is 6120 in Stripe's integers."""
    return _clean_in(town, "KWD")


@fault(line="S12", name="shillings_are_sent_in_hundredths")
def shillings_are_sent_in_hundredths(town: Town) -> list[Sighting]:
    """UGX 74000 is 7400000 in Stripe's integers, although the currency has no cents."""
    return _clean_in(town, "UGX")


@fault(line="S8", name="two_refunds_in_one_second")
def two_refunds_in_one_second(town: Town) -> list[Sighting]:
    """Two halves given back at once, told in any order: together it is all, and both sides know."""
    customer = town.user()
    at = town.between(8, 60)
    columns = {"created_at": at, "updated_at": at, "status": "cancelled", "cancelled_by": "customer"}
    booking = town.booking(customer, at + timedelta(days=2), Decimal(80), "USD", **columns)
    payment = pay_by_card(town, customer, at, booking=booking, app="refunded", captured=booking["price"])
    refund(town, payment, part=Decimal("0.5"))
    refund(town, payment, part=Decimal("0.5"))
    payment["updated_at"] = at + timedelta(hours=6)
    return never(drift(payment), off(payment))


@fault(line="S3", name="what_a_refund_left")
def what_a_refund_left(town: Town) -> list[Sighting]:
    """The application says that a part was refunded, and books the rest: the same money told in another way."""
    user, payment = subscriber(town, plan=town.plan(currency="EUR"), at=town.between(8, 25))
    made = refund(town, payment, part=Decimal("0.5"))
    payment.update(status="partially_refunded", amount=payment["amount"] - Decimal(made["amount"]) / 100)
    return never(gap(user), drift(payment), off(payment))


@fault(line="S3", name="abandoned_at_another_price")
def abandoned_at_another_price(town: Town) -> list[Sighting]:
    """The price changed after the customer had gone: nobody pays either."""
    user = town.user()
    payment = pay_by_card(
        town, user, town.between(8, 60), plan=town.plan(currency="USD"), app="expired",
        intent="requires_payment_method", amount=Decimal("1.99"),
    )  # fmt: skip
    return never(gap(user), drift(payment), off(payment))
