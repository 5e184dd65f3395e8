"""Crypto money that looks short, foreign or stuck, and is as it should be: line C as clean look-alikes."""

from __future__ import annotations

from decimal import Decimal

from payments_pipeline.sandbox.faults.crypto_sightings import of_payment
from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never
from payments_pipeline.sandbox.purchases import pay_by_deposit, pay_by_gateway
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town


@fault(line="C1", name="short_within_tolerance")
def short_within_tolerance(town: Town) -> list[Sighting]:
    """One percent went to a fee on the way; the gateway calls it finished."""
    user, payment = subscriber(town, pay=pay_by_gateway, part=Decimal("0.99"))
    return never(gap(user), drift(payment), *of_payment(payment))


@fault(line="C1", name="partially_paid_within_tolerance")
def partially_paid_within_tolerance(town: Town) -> list[Sighting]:
    """One percent went to a fee; the gateway calls it partially paid, the application rightly took it as paid."""
    user, payment = subscriber(town, pay=pay_by_gateway, gateway="partially_paid", part=Decimal("0.99"))
    return never(gap(user), drift(payment), *of_payment(payment))


@fault(line="C10", name="deposit_not_final_yet")
def deposit_not_final_yet(town: Town) -> list[Sighting]:
    """States 0 and 1, and the application waits as it should."""
    user = town.user()
    plan = town.plan(currency="USD")
    state = town.rng.choice(["0", "1"])
    payment = pay_by_deposit(town, user, town.between(0.02, 0.5), plan=plan, app="confirming", deposit=state)
    return never(gap(user), drift(payment), *of_payment(payment))
