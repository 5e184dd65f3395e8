"""One side alone: payments that the provider does not have, money that no payment stands for. Lines S5, S6 and E13.

Belongs here: faults and look-alikes where an object or a row has no counterpart. Does not belong here: two sides that
disagree (state.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.sandbox.faults.registry import Sighting, drift, event, fault, gap, never, off, orphan, unknown
from payments_pipeline.sandbox.objects import Json, nowpayments_payment
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import card_intent, pay_by_card
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town


def _row_alone(
    town: Town, provider: str, ref: str | None, at: datetime, *, status: str = "succeeded", **columns: Any
) -> tuple[Row, Row]:
    """A user whom the application switched on for a payment that it alone knows, for a year."""
    user, plan = town.user(), town.plan(period="year", currency="USD")
    order = {"plan_id": plan["id"], "amount": plan["price"], "currency": "USD", "created_at": at}
    payment = town.payment(user, provider, ref, status, **order, **columns)
    if payment["confirmed_at"] is not None:
        town.webhook(payment)
        town.activate(user, plan, payment)
    return user, payment


def _money_alone(town: Town, at: datetime, **intent: Any) -> Json:
    """A card payment that the application has no row of."""
    return card_intent(town, amount=Decimal(town.rng.randrange(20, 120)), currency="USD", at=at, **intent)


# The application alone


@fault(line="S5", name="reference_of_nothing")
def reference_of_nothing(town: Town) -> list[Sighting]:
    """A forged success page: the reference looks right, Stripe never heard of it."""
    user, payment = _row_alone(town, "stripe", town.ids.stripe("pi_3"), town.between(0.2, 80))
    return [unknown(payment), *never(gap(user), drift(payment), off(payment))]


@fault(line="S5", name="gateway_reference_of_nothing")
def gateway_reference_of_nothing(town: Town) -> list[Sighting]:
    """The same with a number that NOWPayments never gave out."""
    user, payment = _row_alone(town, "nowpayments", town.ids.number(10), town.between(0.2, 80), status="finished")
    return [unknown(payment), *never(gap(user), drift(payment))]


@fault(line="S5", name="mistyped_reference")
def mistyped_reference(town: Town) -> list[Sighting]:
    """Entered by hand with a slip: the payment exists and names the row, which names another one."""
    user, payment = subscriber(town, at=town.between(0.2, 25))
    right = payment["transaction_id"]
    payment["transaction_id"] = right[:-2] + right[-1] + "_"
    return [unknown(payment), *never(gap(user), drift(payment), orphan("stripe", right))]


@fault(line="S5", name="written_before_the_lists_begin")
def written_before_the_lists_begin(town: Town) -> list[Sighting]:
    """Its object may have been made a little earlier than anything that was listed: nobody can say."""
    user, payment = _row_alone(town, "stripe", town.ids.stripe("pi_3"), town.between(89.2, 89.9))
    return never(unknown(payment), gap(user), drift(payment))


@fault(line="S5", name="written_as_the_lists_were_read")
def written_as_the_lists_were_read(town: Town) -> list[Sighting]:
    """Minutes old: its object may come with the next reading."""
    user, payment = _row_alone(town, "stripe", town.ids.stripe("pi_3"), town.ago(minutes=town.rng.randint(5, 50)))
    return never(unknown(payment), gap(user))


@fault(line="S5", name="reference_to_a_subscription")
def reference_to_a_subscription(town: Town) -> list[Sighting]:
    """The application refers to Stripe's subscription: no payment's id, so no payment is missing."""
    user, payment = _row_alone(town, "stripe", town.ids.stripe("sub_"), town.between(1, 80))
    return never(unknown(payment), gap(user))


@fault(line="S5", name="attempt_that_never_reached_the_provider")
def attempt_that_never_reached_the_provider(town: Town) -> list[Sighting]:
    """The call timed out, the application gave up and closed the row by itself."""
    user, payment = _row_alone(town, "stripe", town.ids.stripe("pi_3"), town.between(1, 80), status="failed")
    return never(unknown(payment), gap(user), drift(payment))


# The provider alone


@fault(line="S6", name="customer_paid_without_a_row")
def customer_paid_without_a_row(town: Town) -> list[Sighting]:
    """The application broke between charge and commit; only the customer is known."""
    user = town.user()
    intent = _money_alone(town, town.between(0.1, 60), customer=user["stripe_customer_id"])
    return [orphan("stripe", intent["id"]), *never(gap(user))]


@fault(line="S6", name="stranger_paid")
def stranger_paid(town: Town) -> list[Sighting]:
    """A payment link that somebody made in the dashboard: nothing leads anywhere."""
    return [orphan("stripe", _money_alone(town, town.between(0.1, 60))["id"])]


@fault(line="S6", name="paid_again_for_the_same_order")
def paid_again_for_the_same_order(town: Town) -> list[Sighting]:
    """Two tabs, two charges: the second names the payment that the first one settles."""
    user, payment = subscriber(town, plan=town.plan(currency="USD"), at=town.between(1, 25))
    intent = card_intent(
        town,
        amount=payment["amount"],
        currency="USD",
        at=payment["created_at"] + timedelta(minutes=1),
        customer=user["stripe_customer_id"],
        metadata={"user_id": str(user["id"]), "payment_id": str(payment["id"])},
    )
    return [orphan("stripe", intent["id"]), *never(orphan("stripe", payment["transaction_id"]), drift(payment))]


@fault(line="S6", name="gateway_paid_without_a_row")
def gateway_paid_without_a_row(town: Town) -> list[Sighting]:
    """A NOWPayments payment with an order number that the application does not have."""
    at, ref, sum_ = town.between(0.1, 60), town.ids.number(10), Decimal(town.rng.randrange(20, 120))
    made = nowpayments_payment(
        ref,
        status="finished",
        price=sum_,
        price_currency="USD",
        pay_amount=sum_,
        actually_paid=sum_,
        order_id=f"import-{ref}",
        address=town.ids.tron_address(),
        tx_hash=town.ids.transaction_hash(),
        created=at,
        updated=at + timedelta(minutes=12),
    )
    town.state.nowpayments.payments[ref] = made
    return [orphan("nowpayments", ref)]


@fault(line="S6", name="row_without_a_reference")
def row_without_a_reference(town: Town) -> list[Sighting]:
    """The application never stored the id; the payment names its row, and that is enough."""
    user, payment = subscriber(town, at=town.between(1, 25))
    ref, payment["transaction_id"] = payment["transaction_id"], None
    return never(orphan("stripe", ref), unknown(payment), gap(user), drift(payment), off(payment))


@fault(line="S6", name="paid_before_the_row_is_written")
def paid_before_the_row_is_written(town: Town) -> list[Sighting]:
    """Minutes old: the application writes its rows when the webhook comes."""
    user = town.user()
    at = town.ago(minutes=town.rng.randint(1, 10))
    return never(orphan("stripe", _money_alone(town, at, customer=user["stripe_customer_id"])["id"]))


@fault(line="S6", name="looked_in_without_paying")
def looked_in_without_paying(town: Town) -> list[Sighting]:
    """A checkout opened and left: no money, no attempt, nothing failed."""
    intent = _money_alone(town, town.between(0.1, 6), status="requires_action")
    return never(orphan("stripe", intent["id"]), event("failed_payments", "stripe", intent["id"]))


@fault(line="S10", name="everything_of_another_product")
def everything_of_another_product(town: Town) -> list[Sighting]:
    """Another shop's payments fail, too, and are canceled: not one of them is ours to tell."""
    notes = {"app": "other-shop", "order": town.ids.digits(6)}
    declined = _money_alone(town, town.between(0.2, 6), status="requires_payment_method", metadata=notes)
    canceled = _money_alone(town, town.between(0.2, 6), status="canceled", metadata=notes)
    return never(
        event("failed_payments", "stripe", declined["id"]),
        event("canceled_payments", "stripe", canceled["id"]),
        event("foreign_charges", "stripe", declined["id"]),
        orphan("stripe", canceled["id"]),
    )


@fault(line="S6", name="customer_paid_for_a_second_thing")
def customer_paid_for_a_second_thing(town: Town) -> list[Sighting]:
    """A user with a good payment, and another one that nobody knows of: the good one excuses nothing."""
    user = town.user()
    at = town.between(1, 20)
    good = pay_by_card(town, user, at, plan=town.plan(currency="USD"))
    town.webhook(good)
    town.activate(user, town.tables["plans"][good["plan_id"] - 1], good)
    intent = _money_alone(town, at + timedelta(hours=1), customer=user["stripe_customer_id"])
    return [orphan("stripe", intent["id"]), *never(orphan("stripe", good["transaction_id"]))]
