"""Crypto money that looks short, foreign or stuck, and is as it should be: line C as clean look-alikes."""

from __future__ import annotations

from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never, stray
from payments_pipeline.sandbox.objects import okx_deposit
from payments_pipeline.sandbox.purchases import pay_by_deposit, pay_by_gateway
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town


@fault(line="C1", name="short_within_tolerance")
def short_within_tolerance(town: Town) -> list[Sighting]:
    """One percent went to a fee on the way; the gateway calls it finished."""
    user, payment = subscriber(town, pay=pay_by_gateway, part=Decimal("0.99"))
    return never(gap(user), drift(payment))


@fault(line="C1", name="partially_paid_within_tolerance")
def partially_paid_within_tolerance(town: Town) -> list[Sighting]:
    """One percent went to a fee; the gateway calls it partially paid, the application rightly took it as paid."""
    user, payment = subscriber(town, pay=pay_by_gateway, gateway="partially_paid", part=Decimal("0.99"))
    return never(gap(user), drift(payment))


@fault(line="C3", name="overpaid")
def overpaid(town: Town) -> list[Sighting]:
    """More came than was asked for: another report's matter."""
    user, payment = subscriber(town, pay=pay_by_gateway, part=Decimal("1.2"))
    return never(gap(user), drift(payment))


@fault(line="C10", name="deposit_not_final_yet")
def deposit_not_final_yet(town: Town) -> list[Sighting]:
    """States 0, 1 and 8, and the application waits as it should."""
    user = town.user()
    plan = town.plan(currency="USD")
    state = town.rng.choice(["0", "1", "8"])
    payment = pay_by_deposit(town, user, town.between(0.02, 0.5), plan=plan, app="confirming", deposit=state)
    return never(gap(user), drift(payment))


@fault(line="C2", name="short_and_known_to_be")
def short_and_known_to_be(town: Town) -> list[Sighting]:
    """Half is missing, and the application waits for the rest without giving access."""
    user = town.user()
    payment = pay_by_gateway(
        town,
        user,
        town.between(1, 6),
        plan=town.plan(currency="USD"),
        app="partially_paid",
        gateway="partially_paid",
        part=Decimal("0.5"),
    )
    return never(gap(user), drift(payment))


def _lone_deposit(town: Town, *, internal: bool) -> list[Sighting]:
    deposit = okx_deposit(
        town.ids.number(9),
        state="2",
        amount=Decimal(town.rng.randrange(50, 5000)),
        address=town.ids.tron_address(),
        tx_hash="" if internal else town.ids.transaction_hash(),
        at=town.between(1, 80),
        internal=internal,
    )
    town.state.okx.deposits[deposit["depId"]] = deposit
    return never(stray("okx", deposit["depId"]))


@fault(line="C11", name="deposit_that_nobody_waits_for")
def deposit_that_nobody_waits_for(town: Town) -> list[Sighting]:
    """No payment to disagree with: another report's matter."""
    return _lone_deposit(town, internal=False)


@fault(line="C14", name="transfer_between_own_accounts")
def transfer_between_own_accounts(town: Town) -> list[Sighting]:
    """Treasury moved money within the exchange."""
    return _lone_deposit(town, internal=True)
