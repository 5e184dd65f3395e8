"""Payments that look as if the two sides disagreed, and do not: line S of the catalogue as clean look-alikes."""

from __future__ import annotations

from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never, stray
from payments_pipeline.sandbox.purchases import card_intent, pay_by_card, pay_by_gateway
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
    return never(stray("stripe", intent["id"]))


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
    return never(gap(user), drift(payment))


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
